import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { query, withSlugLock } from "../database/database";
import {
  EngineDownError,
  InterruptedError,
  SetUpBusyError,
  SetUpFailedError,
  StateBehindError,
  TakenOverError,
  TenantConflictError,
  UnavailableError,
} from "../system/errors";
import type { Failure, Operation } from "./operation";
import { recordSteps } from "./progress";
import { begin, fail, succeed, tryAgain } from "./store";
import type { EngineRuns, RunOutcome } from "../pulumi/engine-runs";
import { isOurs } from "../pulumi/owner";
import { findBySlug, type TenantRow } from "../tenants/tenants";
import { isLost, refuseTaken } from "./kinds/refuse-taken";

/** What runs operations. */
export interface OperationParts {
  readonly runs: EngineRuns;
  /** Undefined for the package's own tenant migrations. */
  readonly migrationsDir: string | undefined;
  readonly log: Logger;
  /** How long the first failure that may heal is left alone, in ms; each one after it twice as long. */
  readonly retryDelay: number;
}

/** How often an operation is tried again after failures that may heal. */
const RETRIES = 5;

/** The same once the tenant is active: nobody waits any more, and what is not saved is unfinished. */
const RETRIES_OF_STATE = 50;

/** The longest pause between two tries, in ms. */
const LONGEST_DELAY = 5 * 60_000;

/** What became of a tenant that no verb asked to have deleted. */
const LOST = "is marked deleted, which nobody asked this service for";

/**
 * Runs one operation to its end, or to where it is tried again later.
 *
 * @throws DatabaseDownError when the end cannot be written: the queue runs it again. TakenOverError when
 * another start has begun meanwhile: returned from, the queue would delete the job, which is that one's.
 */
export async function runOperation(id: string, parts: OperationParts): Promise<void> {
  const operation = await begin(id);
  // A lost race: another start has brought it to its end.
  if (operation === undefined) return;
  const log = parts.log.child({ operation: id, slug: operation.slug });
  try {
    const tenant = await setUp(operation, { ...parts, log });
    await succeed(operation, tenant.id);
    log.info({ tenant: tenant.id }, "tenant set up");
  } catch (error) {
    if (error instanceof TakenOverError) throw error;
    const retries = error instanceof StateBehindError ? RETRIES_OF_STATE : RETRIES;
    if (error instanceof UnavailableError && operation.retries < retries) {
      const delay = Math.min(parts.retryDelay * 2 ** operation.retries, LONGEST_DELAY);
      log.warn({ err: error, delay }, `tried again later: ${error.message}`);
      await tryAgain(operation, delay);
      return;
    }
    await fail(operation, failureOf(error, log));
  }
}

async function setUp(operation: Operation, parts: OperationParts): Promise<TenantRow> {
  const { slug, request, passwordHash } = operation;
  return withSlugLock(slug, async (lockedQuery) => {
    const before = await findBySlug(lockedQuery, slug);
    // It was free when the operation was accepted: what is active since is an earlier start's work,
    // and the engine brings its state up from that.
    const ours = before?.status === "active" && isOurs(before.owner, slug);
    if (!ours) refuseTaken(before, request);
    if (before !== undefined && isLost(before)) {
      parts.log.warn({ tenant: before.id }, `tenant ${slug} ${LOST}: it is restored`);
    }
    const steps = recordSteps(operation);
    const tenant = { ...request, adminPassword: passwordHash, migrationsDir: parts.migrationsDir };
    const outcome = await parts.runs.run({ tenant, mayDelete: "nothing" }, steps.note);
    await steps.written();
    return conclude(operation, outcome, parts);
  });
}

/** Decides by what is in the database: a tenant that is active has all five steps behind it. */
async function conclude(
  { slug, retries }: Operation,
  outcome: RunOutcome,
  { runs, log }: OperationParts,
): Promise<TenantRow> {
  const faults = outcome.result === "succeeded" ? [] : outcome.faults;
  // Whatever the tenant's status: nobody mends it but the operator.
  if (outcome.result === "refused") throw new SetUpFailedError(slug, faults);
  // A run that was cut off may have left a state that is behind the database.
  if (retries < RETRIES && outcome.result === "interrupted") {
    throw new InterruptedError(slug, faults);
  }
  const tenant = await findBySlug(query, slug);
  if (tenant !== undefined && !isOurs(tenant.owner, slug)) {
    throw new TenantConflictError(`The slug ${slug} is taken`);
  }
  if (tenant?.status === "active") {
    if (faults.length > 0 && retries < RETRIES_OF_STATE) throw new StateBehindError(slug, faults);
    if (faults.length > 0) log.warn({ faults }, `the state of tenant ${slug} is behind`);
    return tenant;
  }
  if (outcome.result === "interrupted") throw new InterruptedError(slug, faults);
  if (outcome.result === "locked") {
    throw new SetUpBusyError(`the stack of tenant ${slug} is locked: ${faults.join(" | ")}`);
  }
  if (outcome.result === "no engine") throw new EngineDownError(faults.join(" | "));
  if (tenant !== undefined && isLost(tenant)) {
    throw new InterruptedError(slug, [...faults, `the tenant ${LOST}`]);
  }
  const trouble = await runs.tryEngine();
  if (trouble !== undefined) throw new EngineDownError(trouble);
  const untold = `the engine tells of no fault, and the tenant is ${tenant?.status ?? "not there"}`;
  throw new SetUpFailedError(slug, faults.length > 0 ? faults : [untold]);
}

/** What the caller is told; the log has the rest. */
function failureOf(error: unknown, log: Logger): Failure {
  if (error instanceof TenantConflictError) return { kind: "conflict", message: error.message };
  const reference = randomUUID();
  const err = error instanceof Error ? error : new Error(String(error));
  log.error({ err, reference }, err.message);
  if (error instanceof UnavailableError) {
    return {
      kind: "unavailable",
      message: "Not possible just now; send the request again",
      reference,
    };
  }
  const again =
    error instanceof SetUpFailedError
      ? ". Sent again, the request goes on from where it stopped"
      : "";
  return {
    kind: "failed",
    message: `Failed; the operator of this service knows why, by reference ${reference}${again}`,
    reference,
  };
}
