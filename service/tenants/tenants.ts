import type { Query } from "../database/database";

/** A tenant as callers see it. */
export interface TenantView {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly status: string;
  readonly createdAt: Date;
}

/** A tenant's row of public.tenants, whatever its status. */
export interface TenantRow {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly status: "provisioning" | "active" | "suspended" | "deleted";
  /** Who declares it: `organization/project/stack::name`; null where nobody does. */
  readonly owner: string | null;
  /** The admin's e-mail; null before step 2 has made or found the admin. */
  readonly adminEmail: string | null;
}

const view = `id, name, slug, status, created_at as "createdAt"`;

/** The active tenant with this id. Callers see no tenant of another status. */
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
 * @param page Counted from 1.
 * @param limit How many tenants a page has at most.
 * @returns the page, and how many active tenants there are on all pages together.
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
 * Whether a tenant that the service wants is marked deleted, by a run that went wrong or by somebody else.
 * Its schema and its data are still there, and the next run of its stack makes it active again.
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
