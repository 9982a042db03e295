import type { Query } from "../database/database";
import { pageOf, type Page, type Place } from "../database/pages";
import type { TenantView } from "./tenants";

/** A tenant as its members see it. */
export interface Membership extends Pick<TenantView, "id" | "name" | "slug" | "createdAt"> {
  readonly status: "active" | "suspended";
  readonly role: "ADMIN" | "MEMBER";
}

/**
 * The tenants in which a user is a member, by name. Those that are suspended are among them, so that a product
 * can say why they are closed; half made and deleted ones are not.
 */
export async function listMemberships(
  query: Query,
  userId: string,
  { limit, after }: { readonly limit: number; readonly after: Place | undefined },
): Promise<Page<Membership>> {
  const rows = await query<Membership & Place>(
    `select t.id, t.name, t.slug, t.status, m.role, t.created_at as "createdAt", lower(t.name) as key
    from public.tenant_users m join public.tenants t on t.id = m.tenant_id
    where m.user_id = $1 and t.status in ('active', 'suspended')
      and ($2::text is null or (lower(t.name) collate "C", t.id) > ($2, $3::uuid))
    order by lower(t.name) collate "C", t.id limit $4`,
    [userId, after?.key, after?.id, limit + 1],
  );
  return pageOf(rows, limit);
}
