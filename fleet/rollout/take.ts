import type { ClientBase } from "pg";
import type { Rollout } from "./rollout";

/** A tenant that a runner has taken. */
export interface TakenTenant {
  readonly tenantId: string;
  /** How often its migration did not get a lock. */
  readonly lockTries: number;
}

/** The name of the advisory lock that a runner holds while it lives. */
export const runnerLock = (runner: string): string => `pulumi-tenant rollout runner ${runner}`;

/**
 * Takes the next tenant of a rollout. While a canary is left, only canaries are. A runner from before the files were
 * mended, whose rollout was resumed meanwhile, gets none.
 *
 * @returns undefined where none can be taken now.
 */
export async function takeTenant(
  client: ClientBase,
  { id, files }: Pick<Rollout, "id" | "files">,
  runner: string,
): Promise<TakenTenant | undefined> {
  const { rows } = await client.query<TakenTenant>(
    `update public.rollout_tenants set runner = $2, started_at = clock_timestamp()
    where rollout_id = $1 and tenant_id = (
      select tenant_id from public.rollout_tenants
      where rollout_id = $1 and status = 'pending' and runner is null and not_before <= clock_timestamp()
        and exists (select from public.rollouts where id = $1 and status = 'running' and files = $3)
        and (is_canary or not exists (
          select from public.rollout_tenants where rollout_id = $1 and status = 'pending' and is_canary
        ))
      order by is_canary desc, position limit 1
      for update skip locked
    )
    returning tenant_id as "tenantId", lock_tries as "lockTries"`,
    [id, runner, files],
  );
  return rows[0];
}

/** Gives back the tenants of runners that are dead: their locks are free. */
export async function giveBackOfDead(client: ClientBase, id: string): Promise<void> {
  await client.query(
    `update public.rollout_tenants set runner = null
    where rollout_id = $1 and runner is not null and not exists (
      select from pg_locks l join pg_database d on d.oid = l.database
      where datname = current_database() and locktype = 'advisory' and objsubid = 1 and granted
        and (classid::bigint << 32) | objid::bigint = hashtextextended($2 || runner, 0)
    )`,
    [id, runnerLock("")],
  );
}
