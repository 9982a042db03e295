import type { Query } from "../database/database";
import { PROJECT } from "../config/project";
import type { TenantSpec, WantedTenant, Wish } from "./wanted-tenant";

const columns = `id, stack, spec, asked_by as "askedBy", status, released, restores_to as "restoresTo",
  purge_at as "purgeAt", generation::int as generation`;

/** Stores the declaration of a new tenant; undefined where another declaration has the slug. */
export async function insertWanted(
  query: Query,
  id: string,
  spec: TenantSpec,
  askedBy: string | null,
): Promise<WantedTenant | undefined> {
  // Where another transaction has inserted the slug and not committed yet, PostgreSQL waits here for its end:
  // so of two set-ups of one slug at once, exactly one is accepted.
  const [tenant] = await query<WantedTenant>(
    `insert into public.service_tenants (id, spec, asked_by) values ($1, $2, $3)
    on conflict (slug) where status in ('active', 'suspended') do nothing returning ${columns}`,
    [id, JSON.stringify(spec), askedBy],
  );
  return tenant;
}

/**
 * Stores the declaration of a tenant that is there, with the status that it has: that of its declaration, or, where
 * it is deleted, of a restore. Its declarations are counted on from those that the tenant was brought to, with one left
 * out: the row has that from the first step of its adoption until the last, and an older run changes nothing meanwhile.
 *
 * @returns undefined where there is a declaration of the tenant already.
 * @throws error of pg with SQLSTATE 23505 (unique_violation) where another declaration has the slug.
 */
export async function insertAdopted(
  query: Query,
  wanted: Pick<WantedTenant, "id" | "spec" | "askedBy" | "status" | "restoresTo" | "purgeAt">,
): Promise<WantedTenant | undefined> {
  const { id, spec, askedBy, status, restoresTo, purgeAt } = wanted;
  const [tenant] = await query<WantedTenant>(
    `insert into public.service_tenants (id, spec, asked_by, status, restores_to, purge_at, generation)
    select id, $2, $3, $4, $5, $6, generation + 2 from public.tenants where id = $1
    on conflict (id) do nothing returning ${columns}`,
    [id, JSON.stringify(spec), askedBy, status, restoresTo, purgeAt],
  );
  return tenant;
}

/**
 * Replaces the declaration of a tenant.
 *
 * @throws error of pg with SQLSTATE 23505 (unique_violation) where another declaration has the slug.
 */
export async function updateSpec(query: Query, id: string, spec: TenantSpec): Promise<void> {
  await query(
    `update public.service_tenants set spec = $2, generation = generation + 1, updated_at = now()
    where id = $1`,
    [id, JSON.stringify(spec)],
  );
}

/**
 * Changes what is wanted of a tenant.
 *
 * @throws error of pg with SQLSTATE 23505 (unique_violation) where another declaration has the slug.
 */
export async function updateWish(
  query: Query,
  id: string,
  { name, slug, status, released, restoresTo, purgeAt }: Wish,
): Promise<void> {
  await query(
    `update public.service_tenants set status = $4, restores_to = $5, purge_at = $6, released = $7,
      spec = spec || jsonb_build_object('name', $2::text, 'slug', $3::text),
      generation = generation + 1, updated_at = now()
    where id = $1`,
    [id, name, slug, status, restoresTo, purgeAt, released],
  );
}

/** The wanted tenant with this id. Its row is locked until the transaction ends. */
export async function lockWanted(query: Query, id: string): Promise<WantedTenant | undefined> {
  const [tenant] = await query<WantedTenant>(
    `select ${columns} from public.service_tenants where id = $1 for update`,
    [id],
  );
  return tenant;
}

/** The wanted tenant that holds this slug. */
export async function wantedBySlug(query: Query, slug: string): Promise<WantedTenant | undefined> {
  const [tenant] = await query<WantedTenant>(
    `select ${columns} from public.service_tenants where slug = $1 and status in ('active', 'suspended')`,
    [slug],
  );
  return tenant;
}

/**
 * Every tenant that the stack of this tenant is to declare: the tenant itself and those that share its
 * stack. A program that left one of them out would have the engine delete it.
 *
 * @returns an empty list where the service does not own the tenant any more.
 */
export async function wantedWith(query: Query, id: string): Promise<WantedTenant[]> {
  return query<WantedTenant>(
    `select ${columns} from public.service_tenants
    where id = $1 or stack = (select stack from public.service_tenants where id = $1)
    order by created_at, id`,
    [id],
  );
}

/** {@link forget}s a tenant that has no row in public.tenants. Where it has one, nothing happens. */
export async function forgetUnmade(query: Query, id: string): Promise<void> {
  await forget(query, id, "t.id is null");
}

/** {@link forget}s a tenant that the service is not the owner of. Of its own, nothing happens. */
export async function forgetLetGo(query: Query, id: string): Promise<void> {
  await forget(query, id, letGo);
}

/** The condition in SQL that a tenant of `public.tenants t` is `isLetGo`, or gone. */
const letGo = `(t.owner is null or t.owner not like '%/${PROJECT}/%::' || t.id)`;

/**
 * Deletes the declaration of a tenant. Its stack is marked to be removed, unless other tenants share it.
 *
 * @param condition SQL about `public.tenants t`: where it does not hold, nothing happens.
 */
async function forget(query: Query, id: string, condition: string): Promise<void> {
  // Of two tenants of one stack that are forgotten at once, the second waits here for the first, and so sees
  // that it is the last.
  await query(
    `select from public.service_stacks
    where name = (select stack from public.service_tenants where id = $1) for update`,
    [id],
  );
  await query(
    `with forgotten as (
      delete from public.service_tenants
      where id = $1
        and exists (select from (select $1::uuid) as wanted (id) left join public.tenants t using (id) where ${condition})
      returning stack
    )
    update public.service_stacks set status = 'removing'
    where name = (select stack from forgotten)
      and not exists (select from public.service_tenants where stack = name and id <> $1)`,
    [id],
  );
}

/**
 * Takes the archive out of the declaration of a tenant that was made from it. Its generation stays: nothing else is
 * wanted of the tenant than before.
 */
export async function endImport(query: Query, id: string): Promise<void> {
  await query(
    `update public.service_tenants set spec = spec - 'importFrom', updated_at = now() where id = $1`,
    [id],
  );
}

/**
 * Whether a tenant is as it is wanted: in the status, under the name and slug of its declaration, and brought
 * there by a run of just this declaration; one that is to be purged is gone, and one that is to be released is
 * not the service's any more.
 */
export async function isAsWanted(query: Query, id: string): Promise<boolean> {
  const rows = await query(`select where ${asWanted("$1")}`, [id]);
  return rows.length > 0;
}

/**
 * The condition of {@link isAsWanted} in SQL.
 *
 * @param id SQL of type uuid, such as a column or `$1`; it is put into the statement as it is.
 */
export function asWanted(id: string): string {
  return `exists (
    select from public.service_tenants w left join public.tenants t on t.id = w.id
    where w.id = ${id} and case
      when w.released then ${letGo}
      when w.status = 'purged' then t.id is null
      else t.status = w.status and t.slug = w.slug and t.name = w.spec ->> 'name'
        and t.generation = w.generation end
  )`;
}
