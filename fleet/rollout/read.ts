import type { ClientBase } from "pg";
import { RolloutUnknownError } from "../errors";
import type { Rollout, RolloutFailure, RolloutProgress } from "./rollout";

/** Reads a rollout. @throws {@link RolloutUnknownError} where there is none of this id. */
export async function readRollout(client: ClientBase, id: string): Promise<Rollout> {
  const { rows } = await client.query<Rollout>(
    "select id, status, reason, files, options from public.rollouts where id::text = $1",
    [id],
  );
  const [rollout] = rows;
  if (rollout === undefined) throw new RolloutUnknownError(`there is no rollout ${id}`);
  // PostgreSQL has an order of its own.
  const files = Object.fromEntries(
    Object.entries(rollout.files).sort(([one], [other]) => (one < other ? -1 : 1)),
  );
  return { ...rollout, files };
}

/** The newest rollout's id. @throws {@link RolloutUnknownError} where there was none yet. */
export async function newestRollout(client: ClientBase): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    "select id from public.rollouts order by created_at desc limit 1",
  );
  const [rollout] = rows;
  if (rollout === undefined) throw new RolloutUnknownError("there is no rollout yet");
  return rollout.id;
}

/** Counts a rollout's tenants. @throws {@link RolloutUnknownError} where there is none of this id. */
export async function readProgress(client: ClientBase, id: string): Promise<RolloutProgress> {
  const { rows } = await client.query<RolloutProgress>(
    `select r.id, r.status, r.reason, count(*)::int as tenants,
      count(*) filter (where t.status = 'done')::int as done,
      count(*) filter (where t.status = 'failed')::int as failed,
      count(*) filter (where t.status = 'gone')::int as gone,
      count(runner)::int as "atWork"
    from public.rollouts r join public.rollout_tenants t on rollout_id = r.id
    where r.id::text = $1 group by r.id`,
    [id],
  );
  const [progress] = rows;
  if (progress === undefined) throw new RolloutUnknownError(`there is no rollout ${id}`);
  return progress;
}

/** The tenants of a rollout that have failed, in their order. */
export async function readFailures(client: ClientBase, id: string): Promise<RolloutFailure[]> {
  const { rows } = await client.query<RolloutFailure>(
    `select coalesce(slug, tenant_id::text) as slug, tenant_id as "tenantId", failure as message
    from public.rollout_tenants t left join public.tenants on id = tenant_id
    where rollout_id::text = $1 and t.status = 'failed' order by position`,
    [id],
  );
  return rows;
}

/** The rollout that has not ended; undefined where there is none. */
export async function openRollout(client: ClientBase): Promise<string | undefined> {
  const { rows } = await client.query<{ id: string }>(
    "select id from public.rollouts where status in ('running', 'paused')",
  );
  return rows[0]?.id;
}
