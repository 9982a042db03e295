import type { RolloutFailure, RolloutOptions, RolloutStatus } from "../../fleet/rollout/rollout";
import type { Query } from "../database/database";
import { microseconds, pageOf, Parameters, timeOf, type Page, type Place } from "../database/pages";

/** A rollout as callers see it. */
export interface RolloutView {
  readonly id: string;
  readonly status: RolloutStatus;
  /** Why it was stopped, or has failed. */
  readonly reason: string | null;
  /** The `sub` of who asked for it; null for a command, for the service's start, and for a token without one. */
  readonly askedBy: string | null;
  readonly options: RolloutOptions;
  /** The names of the files that each tenant has at the end. */
  readonly files: readonly string[];
  readonly tenants: number;
  readonly done: number;
  readonly failed: number;
  /** Those that were removed, or let go, before it was their turn. */
  readonly gone: number;
  /** Those that are being migrated. */
  readonly atWork: number;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

/** A rollout, and what has become of each tenant that failed. */
export interface RolloutDetails extends RolloutView {
  /** The first hundred of those that have failed, in the rollout's order. */
  readonly failures: readonly RolloutFailure[];
}

/** SQL of {@link RolloutView} for a row `r` of `public.rollouts`. */
const view = `r.id, r.status, reason, asked_by as "askedBy", options,
  array(select name from jsonb_object_keys(files) name order by name collate "C") as files,
  r.created_at as "createdAt", r.finished_at as "finishedAt", counts.*`;

const counts = `cross join lateral (
  select count(*)::int as tenants,
    count(*) filter (where t.status = 'done')::int as done,
    count(*) filter (where t.status = 'failed')::int as failed,
    count(*) filter (where t.status = 'gone')::int as gone,
    count(runner)::int as "atWork"
  from public.rollout_tenants t where rollout_id = r.id
) counts`;

/** The rollout with this id, and its failures; undefined where there is none. */
export async function findRollout(query: Query, id: string): Promise<RolloutDetails | undefined> {
  const [rollout] = await query<RolloutDetails>(
    `select ${view}, (
      select coalesce(json_agg(json_build_object(
        'slug', coalesce(slug, tenant_id::text), 'tenantId', tenant_id, 'message', failure
      ) order by position), '[]')
      from (
        select * from public.rollout_tenants where rollout_id = r.id and status = 'failed'
        order by position limit 100
      ) t left join public.tenants on tenants.id = tenant_id
    ) as failures
    from public.rollouts r ${counts} where r.id = $1`,
    [id],
  );
  return rollout;
}

/** A part of the list of rollouts, the newest first. */
export async function listRollouts(
  query: Query,
  { limit, after }: { readonly limit: number; readonly after: Place | undefined },
): Promise<Page<RolloutView>> {
  const { values, add } = new Parameters();
  const rows = await query<RolloutView & Place>(
    `select ${view}, ${microseconds("r.created_at")} as key from public.rollouts r ${counts}
    ${after === undefined ? "" : `where (r.created_at, r.id) < (${timeOf(add(after.key))}, ${add(after.id)}::uuid)`}
    order by r.created_at desc, r.id desc limit ${add(limit + 1)}`,
    values,
  );
  return pageOf(rows, limit);
}

/** Deletes rollouts that ended before the retention time. @returns how many. */
export async function deleteOldRollouts(query: Query, retentionDays: number): Promise<number> {
  const rows = await query(
    `delete from public.rollouts where finished_at < now() - $1 * interval '1 day' returning id`,
    [retentionDays],
  );
  return rows.length;
}
