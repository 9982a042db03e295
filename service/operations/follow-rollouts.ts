import type { Logger } from "pino";
import type { Database, Query } from "../database/database";
import type { EngineRuns, RunOutcome } from "../pulumi/engine-runs";
import { DomainError } from "../system/errors";
import { wantedWith } from "../tenants/wanted";
import { declarationOf } from "../tenants/wanted-tenant";

/** How long one call goes on at most. The schedule comes each minute. */
const AT_MOST_MS = 50_000;

/** What is needed to bring up states. */
export interface FollowParts {
  readonly database: Database;
  readonly runs: EngineRuns;
  readonly log: Logger;
  /** Whether the service is going down: then no other tenant is begun. */
  readonly isStopping: () => boolean;
}

/**
 * Brings the states of stacks up to the migrations that a rollout has applied, one tenant after the other, as long as
 * no operation and no rollout waits or runs. Nothing is migrated by it: the run finds every file applied. Without it the next
 * operation of the tenant would do the same.
 *
 * @throws DatabaseDownError
 */
export async function followRollouts(parts: FollowParts): Promise<void> {
  const { database, log } = parts;
  const beganMs = performance.now();
  while (!parts.isStopping() && performance.now() - beganMs < AT_MOST_MS) {
    const tenant = await firstBehind(database.query);
    if (tenant === undefined) return;
    const outcome = await follow(tenant, parts);
    // What may heal is tried again by the schedule. Of all else the tenant's next operation tells its caller.
    if (["interrupted", "locked", "no engine"].includes(outcome.result)) return;
    await setFollowed(database.query, [tenant]);
    if (outcome.result !== "succeeded") {
      log.warn({ tenant, faults: outcome.faults }, "the state was not brought to the migrations");
    }
  }
}

/** Notes that the states of these tenants have what is applied by now. */
export async function setFollowed(query: Query, tenantIds: readonly string[]): Promise<void> {
  await query(
    "update public.service_tenants set is_state_behind = false where id = any($1) and is_state_behind",
    [tenantIds],
  );
}

async function follow(tenantId: string, { database, runs }: FollowParts): Promise<RunOutcome> {
  try {
    return await database.withTenantLock(tenantId, async (query) => {
      const stack = await wantedWith(query, tenantId);
      const wanted = stack.find(({ id }) => id === tenantId);
      // What is being purged or released is its operation's to end.
      if (wanted === undefined || wanted.status === "purged" || wanted.released) {
        return { result: "succeeded" };
      }
      return runs.run({ tenantId, mayDelete: [], tenants: stack.map(declarationOf) });
    });
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { result: "interrupted", faults: [error.message] };
  }
}

async function firstBehind(query: Query): Promise<string | undefined> {
  const [tenant] = await query<{ id: string }>(
    `select id from public.service_tenants where is_state_behind
      and not exists (select from public.operations where status in ('queued', 'running'))
      and not exists (select from public.rollouts where status = 'running')
    order by id limit 1`,
  );
  return tenant?.id;
}
