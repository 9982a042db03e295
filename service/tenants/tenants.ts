import { z } from "zod";
import type { Query } from "../database/database";

/** Each status of a tenant, in the order of its life. */
export const tenantStatuses = ["provisioning", "active", "suspended", "deleted"] as const;

const time = z.date();

/** A tenant as callers see it. */
export const tenantView = z
  .strictObject({
    id: z.uuid(),
    name: z.string(),
    slug: z.string(),
    status: z.enum(tenantStatuses),
    createdAt: time,
    updatedAt: time,
    suspendedAt: time.nullable().describe("Null unless it is suspended."),
    deletedAt: time.nullable().describe("Null unless it is deleted."),
    purgeAt: time
      .nullable()
      .describe(
        "When it is purged by itself; null where it is not deleted, or a stack declares it.",
      ),
    migrationVersion: z
      .string()
      .nullable()
      .describe("The version of its newest migration; null before it has any."),
    managedBy: z
      .string()
      .nullable()
      .describe(
        "`service`, or who declares it: `organization/project/stack::name`; null where nobody does.",
      ),
  })
  .meta({
    id: "Tenant",
    example: {
      ...{ id: "6f1e8a52-9c1f-4a7e-8d3b-0a5f4c2b7e10", name: "Acme Corp", slug: "acme-corp" },
      ...{ status: "active", createdAt: "2026-01-05T09:00:00.000Z" },
      ...{ updatedAt: "2026-01-05T09:00:00.000Z", suspendedAt: null, deletedAt: null },
      ...{ purgeAt: null, migrationVersion: "20260101000006", managedBy: "service" },
    },
  });

/** {@link tenantView} */
export type TenantView = z.infer<typeof tenantView>;

/** A tenant's row of public.tenants, whatever its status. */
export interface TenantRow {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly status: (typeof tenantStatuses)[number];
  /** Who declares it: `organization/project/stack::name`; null where nobody does. */
  readonly owner: string | null;
  /** The admin's e-mail; null before step 2 has made or found the admin. */
  readonly adminEmail: string | null;
}

/** The columns of a {@link TenantView}, of `public.tenants t left join public.service_tenants w`. */
export const viewColumns = `t.id, t.name, t.slug, t.status, t.created_at as "createdAt",
  t.updated_at as "updatedAt", t.suspended_at as "suspendedAt", t.deleted_at as "deletedAt",
  case t.status when 'deleted' then w.purge_at end as "purgeAt",
  (select max(substring(file from '^[0-9]+')) from public.tenant_migration_digests
    where schema_name = 'tenant_' || t.id) as "migrationVersion",
  case when w.id is null then t.owner else 'service' end as "managedBy"`;

/** The tenant with this id as callers see it, whatever its status. */
export async function viewTenant(query: Query, id: string): Promise<TenantView | undefined> {
  const [tenant] = await query<TenantView>(
    `select ${viewColumns}
    from public.tenants t left join public.service_tenants w on w.id = t.id
    where t.id = $1`,
    [id],
  );
  return tenant;
}

const row = `select t.id, t.name, t.slug, t.status, t.owner, u.email as "adminEmail"
  from public.tenants t left join public.users u on u.id = t.admin_user_id`;

/** The tenant that has the slug; one that is deleted has freed it. */
export async function tenantBySlug(query: Query, slug: string): Promise<TenantRow | undefined> {
  const [tenant] = await query<TenantRow>(`${row} where t.slug = $1 and t.status <> 'deleted'`, [
    slug,
  ]);
  return tenant;
}

/** The tenant with this id. */
export async function tenantById(query: Query, id: string): Promise<TenantRow | undefined> {
  const [tenant] = await query<TenantRow>(`${row} where t.id = $1`, [id]);
  return tenant;
}
