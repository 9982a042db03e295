import type { Query } from "../database/database";
import type { TenantRow } from "./tenants";

/** A tenant's row with what its declaration is made from. */
export interface AdoptableTenant extends TenantRow {
  readonly suspendedAt: Date | null;
  readonly adminFirstName: string | null;
  readonly adminLastName: string | null;
}

/**
 * The tenant with this id, or, without one, with this slug and not deleted. Its row is locked until the transaction
 * ends. Its admin is the row's; where that names none, the first of its members who is one.
 */
export async function findAdoptable(
  query: Query,
  { id, slug }: { readonly id?: string | undefined; readonly slug?: string | undefined },
): Promise<AdoptableTenant | undefined> {
  const [tenant] = await query<AdoptableTenant>(
    `select t.id, t.name, t.slug, t.status, t.owner, t.suspended_at as "suspendedAt",
      u.email as "adminEmail", u.first_name as "adminFirstName", u.last_name as "adminLastName"
    from public.tenants t
    left join public.users u on u.id = coalesce(t.admin_user_id, (
      select user_id from public.tenant_users
      where tenant_id = t.id and role = 'ADMIN' order by created_at, user_id limit 1
    ))
    where t.id = $1 or ($1::uuid is null and t.slug = $2 and t.status <> 'deleted')
    for update of t`,
    [id ?? null, slug ?? null],
  );
  return tenant;
}
