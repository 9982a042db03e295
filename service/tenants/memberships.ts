import { z } from "zod";
import type { Query } from "../database/database";
import { pageOf, type Page, type Place } from "../database/pages";
import { tenantView } from "./tenants";

/** A tenant as its members see it. */
export const membershipView = tenantView
  .pick({ id: true, name: true, slug: true, createdAt: true })
  .extend({ status: z.enum(["active", "suspended"]), role: z.enum(["ADMIN", "MEMBER"]) })
  .meta({ id: "Membership" });

/** {@link membershipView} */
export type Membership = z.infer<typeof membershipView>;

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
