import { randomUUID } from "node:crypto";
import { Semaphore } from "async-mutex";
import type { Logger } from "pino";
import { hashPassword } from "../../provider/passwords";
import { query, withSlugLock, type Query } from "../database";
import { EngineDownError, SetUpBusyError, SetUpFailedError, TenantConflictError } from "../errors";
import type { EngineRuns, RunOutcome } from "../runs/engine-runs";
import { ownerOf } from "../runs/owner";
import { findBySlug, type TenantRow } from "../tenants";
import type { TenantRequest } from "./request";
import { createTurns } from "./turns";

/** What a caller is told of a tenant that was set up. */
interface NewTenant {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
}

/**
 * Sets up a tenant: all five steps, or an error that says why not. A tenant that an earlier request
 * left unfinished is gone on with, under the id it has.
 *
 * @throws TenantConflictError, UnavailableError, SetUpFailedError
 */
export type TenantSetUp = (request: TenantRequest, log: Logger) => Promise<NewTenant>;

/** The use case, on the database of DATABASE_URL. */
export function createTenantSetUp(parts: {
  readonly runs: EngineRuns;
  /** Undefined for the package's own tenant migrations. */
  readonly migrationsDir: string | undefined;
  /** Engine runs at once. */
  readonly concurrency: number;
}): TenantSetUp {
  const turns = createTurns();
  const slots = new Semaphore(parts.concurrency);

  return (request, log) =>
    turns(request.slug, async () => {
      refuseTaken(await findBySlug(query, request.slug), request);
      const adminPassword = await hashPassword(request.adminPassword, randomUUID());
      const tenant = { ...request, adminPassword, migrationsDir: parts.migrationsDir };
      // The slot comes before the lock, so that waiting requests hold no connection.
      return slots.runExclusive(() =>
        withSlugLock(request.slug, async (lockedQuery) => {
          // Another instance may have taken it since.
          refuseTaken(await findBySlug(lockedQuery, request.slug), request);
          const outcome = await parts.runs.run(tenant);
          return conclude(query, request.slug, outcome, parts.runs, log);
        }),
      );
    });
}

/** Only an unfinished tenant of this very service, for the same admin, is gone on with. */
function refuseTaken(tenant: TenantRow | undefined, request: TenantRequest): void {
  if (tenant === undefined) return;
  if (tenant.status !== "provisioning" || tenant.owner !== ownerOf(request.slug)) {
    throw new TenantConflictError(`The slug ${request.slug} is taken`);
  }
  if (tenant.adminEmail && tenant.adminEmail.toLowerCase() !== request.adminEmail.toLowerCase()) {
    throw new TenantConflictError(
      `An unfinished set-up of ${request.slug} has another adminEmail; send it with that one`,
    );
  }
}

/** Decides by what is in the database: a tenant that is active has all five steps behind it. */
async function conclude(
  run: Query,
  slug: string,
  outcome: RunOutcome,
  runs: EngineRuns,
  log: Logger,
): Promise<NewTenant> {
  const faults = outcome.result === "succeeded" ? [] : outcome.faults;
  const tenant = await findBySlug(run, slug);
  if (tenant !== undefined && tenant.owner !== ownerOf(slug)) {
    throw new TenantConflictError(`The slug ${slug} is taken`);
  }
  if (tenant?.status === "active") {
    if (faults.length > 0) log.warn({ faults }, `tenant ${slug} is active, and its run failed`);
    log.info({ tenant: tenant.id, slug }, "tenant set up");
    return { id: tenant.id, name: tenant.name, slug: tenant.slug };
  }
  if (outcome.result === "locked") {
    throw new SetUpBusyError(`the stack of tenant ${slug} is locked: ${faults.join(" | ")}`);
  }
  const trouble = await runs.tryEngine();
  if (trouble !== undefined) throw new EngineDownError(trouble);
  throw new SetUpFailedError(slug, faults);
}
