import type { Query } from "../database/database";

/** A tenant as callers see it. */
export interface TenantView {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly status: string;
  readonly createdAt: Date;
}

/** A tenant's row, whatever became of it. */
export interface TenantRow {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly status: "provisioning" | "active" | "deleted";
  /** Who declares it: `organization/project/stack::name`. */
  readonly owner: string;
  /** The admin's e-mail; null as long as there is none. */
  readonly adminEmail: string | null;
}

const view = `id, name, slug, status, created_at as "createdAt"`;

/** The active tenant with this id; nobody meets another one. */
export async function activeTenant(query: Query, id: string): Promise<TenantView | undefined> {
  const [tenant] = await query<TenantView>(
    `select ${view} from public.tenants where id = $1 and status = 'active'`,
    [id],
  );
  return tenant;
}

/**
 * One page of the active tenants, the newest first.
 *
 * @param page From 1.
 */
export async function activeTenants(
  query: Query,
  page: number,
  limit: number,
): Promise<{ tenants: TenantView[]; total: number }> {
  const tenants = await query<TenantView>(
    `select ${view} from public.tenants where status = 'active'
    order by created_at desc, id limit $1 offset $2`,
    [limit, (page - 1) * limit],
  );
  const [count] = await query<{ total: number }>(
    "select count(*)::int as total from public.tenants where status = 'active'",
  );
  return { tenants, total: count?.total ?? 0 };
}

/**
 * Whether a tenant that is wanted is marked deleted: a run went wrong, or somebody else did it. Its schema
 * and its data are kept, and the next run takes it back.
 */
export function isLost({ status }: TenantRow): boolean {
  return status === "deleted";
}

const row = `select t.id, t.name, t.slug, t.status, t.owner, u.email as "adminEmail"
  from public.tenants t left join public.users u on u.id = t.admin_user_id`;

/** The tenant that has the slug. */
export async function tenantBySlug(query: Query, slug: string): Promise<TenantRow | undefined> {
  const [tenant] = await query<TenantRow>(`${row} where t.slug = $1`, [slug]);
  return tenant;
}

/** The tenant with this id. */
export async function tenantById(query: Query, id: string): Promise<TenantRow | undefined> {
  const [tenant] = await query<TenantRow>(`${row} where t.id = $1`, [id]);
  return tenant;
}
