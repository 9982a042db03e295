import type { TenantDeclaration } from "../../program/stack";
import type { Query } from "../database/database";

/**
 * What the service wants of a tenant: its declaration, but for what is the service's own business (its
 * key, its id and where the migrations are). The password is its argon2id hash.
 */
export type TenantSpec = Pick<
  TenantDeclaration,
  "name" | "slug" | "adminEmail" | "adminPassword" | "adminFirstName" | "adminLastName"
>;

/** A tenant that the service owns, as it is wanted. */
export interface WantedTenant {
  readonly id: string;
  /** The stack that declares it; null while no run was begun for it. */
  readonly stack: string | null;
  readonly spec: TenantSpec;
  readonly status: "active";
}

const columns = "id, stack, spec, status";

/**
 * A tenant as its stack's program declares it: its resources are named by its id, since its slug and
 * its name may change.
 *
 * @param migrationsDir Undefined for the package's own tenant migrations.
 */
export function declarationOf(
  { id, spec }: WantedTenant,
  migrationsDir: string | undefined,
): TenantDeclaration {
  return { ...spec, key: id, id, migrationsDir };
}

/** Keeps a new tenant's declaration; undefined where the service wants another one with its slug. */
export async function insertWanted(
  query: Query,
  id: string,
  spec: TenantSpec,
): Promise<WantedTenant | undefined> {
  // Of two set-ups of one slug, the second waits here for the first to be accepted, or refused.
  const [tenant] = await query<WantedTenant>(
    `insert into public.service_tenants (id, spec) values ($1, $2)
    on conflict (slug) do nothing returning ${columns}`,
    [id, JSON.stringify(spec)],
  );
  return tenant;
}

/** Changes what is wanted of a tenant. @throws error of pg, SQLSTATE 23505, where the slug is wanted of another. */
export async function updateWanted(query: Query, id: string, spec: TenantSpec): Promise<void> {
  await query("update public.service_tenants set spec = $2, updated_at = now() where id = $1", [
    id,
    JSON.stringify(spec),
  ]);
}

/** The wanted tenant with this id, held until the transaction ends. */
export async function lockWanted(query: Query, id: string): Promise<WantedTenant | undefined> {
  const [tenant] = await query<WantedTenant>(
    `select ${columns} from public.service_tenants where id = $1 for update`,
    [id],
  );
  return tenant;
}

/** The wanted tenant with this slug. */
export async function wantedBySlug(query: Query, slug: string): Promise<WantedTenant | undefined> {
  const [tenant] = await query<WantedTenant>(
    `select ${columns} from public.service_tenants where slug = $1`,
    [slug],
  );
  return tenant;
}

/**
 * All that the stack of a tenant is to declare: the tenant itself, and those that share its stack. Empty
 * where the service does not own the tenant any more.
 */
export async function wantedWith(query: Query, id: string): Promise<WantedTenant[]> {
  return query<WantedTenant>(
    `select ${columns} from public.service_tenants
    where id = $1 or stack = (select stack from public.service_tenants where id = $1)
    order by created_at, id`,
    [id],
  );
}

/** Forgets a tenant that was never made. Its stack is removed, unless others share it. */
export async function forgetUnmade(query: Query, id: string): Promise<void> {
  await query(
    `with forgotten as (
      delete from public.service_tenants
      where id = $1 and not exists (select from public.tenants where id = $1)
      returning stack
    )
    update public.service_stacks set status = 'removing'
    where name = (select stack from forgotten)
      and not exists (select from public.service_tenants where stack = name and id <> $1)`,
    [id],
  );
}

/** Whether a tenant is as it is wanted: published, under the name and slug of its declaration. */
export async function isAsWanted(query: Query, id: string): Promise<boolean> {
  const rows = await query(`select where ${asWanted("$1")}`, [id]);
  return rows.length > 0;
}

/** {@link isAsWanted} as a condition of SQL. @param id An expression of type uuid. */
export function asWanted(id: string): string {
  return `exists (
    select from public.service_tenants w join public.tenants t on t.id = w.id
    where w.id = ${id} and t.status = w.status and t.slug = w.slug and t.name = w.spec ->> 'name'
  )`;
}
