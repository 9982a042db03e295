import type { ClientBase } from "pg";
import type { Rollout, RolloutStatus } from "./rollout";
import { addLacking } from "./begin";

/** Which tenant of a rollout, and which runner has it. One that was given back meanwhile is left alone. */
export interface Taken {
  readonly id: string;
  readonly tenantId: string;
  readonly runner: string;
}

/**
 * Notes that a tenant has every file, or that it is not there any more. The state of its stack, where the service has
 * it, does not know of the files then.
 */
export async function settle(
  client: ClientBase,
  { id, tenantId, runner }: Taken,
  status: "done" | "gone",
): Promise<void> {
  await client.query(
    `with behind as (
      update public.service_tenants set is_state_behind = true where id = $2 and $4 = 'done'
    )
    update public.rollout_tenants
    set status = $4, runner = null, finished_at = clock_timestamp(), failure = null
    where rollout_id = $1 and tenant_id = $2 and runner = $3`,
    [id, tenantId, runner, status],
  );
}

/**
 * Gives a tenant back, to be taken again later.
 *
 * @param lockTries How often its migration did not get a lock by now.
 */
export async function postpone(
  client: ClientBase,
  { id, tenantId, runner }: Taken,
  { waitMs, lockTries }: { readonly waitMs: number; readonly lockTries: number },
): Promise<void> {
  await client.query(
    `update public.rollout_tenants
    set runner = null, lock_tries = $4, not_before = clock_timestamp() + $5 * interval '1 ms'
    where rollout_id = $1 and tenant_id = $2 and runner = $3`,
    [id, tenantId, runner, lockTries, waitMs],
  );
}

/**
 * Notes that a tenant has failed, and stops the rollout where it was a canary, or one too many. To be called in a
 * transaction.
 */
export async function fail(
  client: ClientBase,
  { id, tenantId, runner }: Taken,
  message: string,
  maxFailures: number | null,
): Promise<void> {
  // One after the other: of two that fail at once, the second has to see the first.
  await client.query("select from public.rollouts where id = $1 for update", [id]);
  await client.query(
    `update public.rollout_tenants
    set status = 'failed', runner = null, finished_at = clock_timestamp(), failure = $4
    where rollout_id = $1 and tenant_id = $2 and runner = $3`,
    [id, tenantId, runner, message],
  );
  await client.query(
    `with failed as (
      select count(*)::int as count, bool_or(is_canary) as canary
      from public.rollout_tenants where rollout_id = $1 and status = 'failed'
    )
    update public.rollouts set status = 'failed', finished_at = clock_timestamp(),
      reason = case when canary then 'a canary failed, so the other tenants were left as they are'
        else 'it was stopped when ' || count || ' had failed' end
    from failed where id = $1 and status = 'running' and (canary or count >= $2)`,
    [id, maxFailures],
  );
}

/**
 * Ends a rollout of which no tenant is left. Those that came to lack a file meanwhile, such as one that was set up by
 * an older version of the service, are added first. To be called in a transaction.
 *
 * @returns the status that it has by now.
 */
export async function conclude(client: ClientBase, rollout: Rollout): Promise<RolloutStatus> {
  const { id } = rollout;
  // One after the other: the second of two has to see the tenants that the first has added, or it would end the rollout
  // without them.
  await client.query("select from public.rollouts where id = $1 for update", [id]);
  const { rows } = await client.query<{ status: RolloutStatus; pending: boolean }>(
    `select status, exists (
      select from public.rollout_tenants where rollout_id = $1 and status = 'pending'
    ) as pending from public.rollouts where id = $1`,
    [id],
  );
  const [found] = rows;
  if (found === undefined) return "cancelled";
  const { status, pending } = found;
  if (status !== "running" || pending) return status;
  if ((await addLacking(client, rollout)) > 0) return status;
  const ended = await client.query<{ status: RolloutStatus }>(
    `with failed as (
      select count(*)::int as count from public.rollout_tenants
      where rollout_id = $1 and status = 'failed'
    )
    update public.rollouts set finished_at = clock_timestamp(),
      status = case when count > 0 then 'failed' else 'succeeded' end,
      reason = case when count > 0 then count || ' failed' end
    from failed where id = $1 and status = 'running' returning status`,
    [id],
  );
  return ended.rows[0]?.status ?? status;
}
