import type { Facet } from "../../provider/database/drift/facet";
import type { Query } from "../database/database";
import type { Found } from "./drift";

/**
 * Keeps what a look found, where lists of tenants see it. A tenant that an operation was at meanwhile is left as
 * it was: what was found of it may be of before, of after, or of both.
 *
 * @param since When the look began.
 */
export async function keepDrift(
  query: Query,
  { tenants, drift }: Found,
  since: Date,
): Promise<void> {
  const ids = tenants.map(({ id }) => id);
  const facets = ids.map((id) => JSON.stringify(drift.get(id) ?? []));
  await query(
    `with look as (
      select id, facets from unnest($1::uuid[], $2::jsonb[]) as looked (id, facets)
      where not exists (select from public.operations o where o.tenant_id = looked.id
        and (o.status in ('queued', 'running') or o.finished_at >= $3))
    ), whole as (
      delete from public.service_drift using look where tenant_id = id and look.facets = '[]'
    )
    insert into public.service_drift (tenant_id, facets)
    select id, facets from look where facets <> '[]'
    on conflict (tenant_id) do update set facets = excluded.facets, found_at = now()`,
    [ids, facets, since],
  );
}

/** Forgets what was found of tenants that are gone. */
export async function forgetGone(query: Query): Promise<void> {
  await query(
    `delete from public.service_drift d
    where not exists (select from public.tenants where id = tenant_id)
      and not exists (select from public.service_tenants where id = tenant_id)`,
  );
}

/** Forgets what was found of a tenant. */
export async function forgetDrift(query: Query, tenantId: string): Promise<void> {
  await query("delete from public.service_drift where tenant_id = $1", [tenantId]);
}

/** What an engine run has repaired of a tenant is not kept any longer. */
export async function forgetRepaired(query: Query, tenantId: string): Promise<void> {
  const engine: Facet["repair"] = "engine";
  await query(
    `with left_over as (
      select tenant_id, jsonb_agg(facet) filter (where facet ->> 'repair' <> $2) as facets
      from public.service_drift, jsonb_array_elements(facets) as facet
      where tenant_id = $1 group by tenant_id
    ), gone as (
      delete from public.service_drift d using left_over l
      where d.tenant_id = l.tenant_id and l.facets is null
    )
    update public.service_drift d set facets = l.facets from left_over l
    where d.tenant_id = l.tenant_id and l.facets is not null`,
    [tenantId, engine],
  );
}
