import { z } from "zod";
import { orders, rolloutStatuses } from "../../fleet/rollout/rollout";
import type { Query } from "../database/database";
import { microseconds, pageOf, Parameters, timeOf, type Page, type Place } from "../database/pages";

/** A rollout as callers see it. */
export const rolloutView = z
  .strictObject({
    id: z.uuid(),
    status: z.enum(rolloutStatuses),
    reason: z.string().nullable().describe("Why it was stopped, or has failed."),
    askedBy: z
      .string()
      .nullable()
      .describe(
        "The `sub` of who asked for it; null for a command, for the service's start, and for a token without one.",
      ),
    options: z.strictObject({
      owner: z.string(),
      only: z.array(z.string()).readonly(),
      order: z.enum(orders),
      canary: z.int(),
      maxFailures: z.int().nullable(),
      lockTimeoutMs: z.int(),
      statementTimeoutMs: z.int(),
      lockRetries: z.int(),
    }),
    files: z.array(z.string()).describe("The files that each tenant has at the end."),
    tenants: z.int(),
    done: z.int(),
    failed: z.int(),
    gone: z.int().describe("Those that were removed, or let go, before it was their turn."),
    atWork: z.int().describe("Those that are being migrated."),
    createdAt: z.date(),
    finishedAt: z.date().nullable(),
  })
  .meta({ id: "Rollout" });

/** {@link rolloutView} */
export type RolloutView = z.infer<typeof rolloutView>;

/** A rollout, and what has become of each tenant that failed. */
export const rolloutDetails = rolloutView
  .extend({
    failures: z
      .array(z.strictObject({ slug: z.string(), tenantId: z.uuid(), message: z.string() }))
      .describe("The first hundred of those that have failed, in the rollout's order."),
  })
  .meta({ id: "RolloutDetails" });

/** {@link rolloutDetails} */
export type RolloutDetails = z.infer<typeof rolloutDetails>;

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
