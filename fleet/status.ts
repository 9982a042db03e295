import type { ClientBase } from "pg";
import { migrationVersion, type MigrationDigests } from "../provider/database/migrations";
import { chosenTenants, type Choice } from "./choice";

/** Tenants of one owner that have the same files. */
export interface TenantGroup {
  /** `service`, or the stack that declares them: `organization/project/stack`. */
  readonly owner: string;
  /** The version of the newest file on record; `""` where none is. */
  readonly version: string;
  /** The files of the folder that they lack, in the order in which they are applied. */
  readonly lacks: readonly string[];
  readonly tenants: number;
  /** The slugs of those that lack a file, in their order; empty where none is lacked. */
  readonly behind: readonly string[];
  /** Of these, the ones that a rollout came to last without success, and why. */
  readonly failures: readonly { readonly slug: string; readonly message: string }[];
}

/**
 * Counts the tenants by the files that they have, in one statement over the control tables, however many there are.
 *
 * @param files What the folder of migrations holds.
 * @returns the groups by owner, those with the oldest version first.
 */
export async function readStatus(
  client: ClientBase,
  choice: Choice,
  files: MigrationDigests,
): Promise<TenantGroup[]> {
  const { rows } = await client.query<Omit<TenantGroup, "version"> & { newest: string | null }>(
    `with chosen as (${chosenTenants("$1", "$2::text[]")}),
    applied as (
      select schema_name, array_agg(file) as files, max(file collate "C") as newest
      from public.tenant_migration_digests group by schema_name
    ),
    last as (
      select distinct on (tenant_id) tenant_id, t.status, failure
      from public.rollout_tenants t join public.rollouts r on r.id = rollout_id
      where t.status in ('done', 'failed') order by tenant_id, r.created_at desc
    ),
    state as (
      select owner, slug, newest, case last.status when 'failed' then failure end as failure, array(
        select file from unnest($3::text[]) with ordinality as wanted (file, place)
        where file <> all(coalesce(files, '{}')) order by place
      ) as lacks
      from chosen left join applied using (schema_name) left join last on tenant_id = chosen.id
    )
    select owner, newest, lacks, count(*)::int as tenants,
      coalesce(array_agg(slug order by slug) filter (where cardinality(lacks) > 0), '{}') as behind,
      coalesce(json_agg(json_build_object('slug', slug, 'message', failure) order by slug)
        filter (where cardinality(lacks) > 0 and failure is not null), '[]') as failures
    from state group by owner, newest, lacks order by owner, newest nulls first, lacks desc`,
    [choice.owner, choice.only, Object.keys(files)],
  );
  return rows.map(({ newest, ...group }) => ({
    ...group,
    version: migrationVersion(newest ?? ""),
  }));
}
