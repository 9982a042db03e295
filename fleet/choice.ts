import type { ClientBase } from "pg";
import { TenantsUnknownError } from "./errors";

/** Which tenants a command is about. */
export interface Choice {
  /** `service`, `all`, or who declares them: `organization/project/stack`. */
  readonly owner: string;
  /** Their slugs; none for all of the owner's. */
  readonly only: readonly string[];
}

/**
 * SQL that selects the chosen tenants: id, slug, status, created_at, schema_name, owner. A tenant that is being set
 * up gets every file then, and one that nobody owns gets none: it was let go as it is.
 *
 * @param owner SQL of {@link Choice.owner}, such as `$1`.
 * @param only SQL of {@link Choice.only}, of type text[].
 */
export const chosenTenants = (owner: string, only: string): string => `
  select * from (${allTenants}) as tenant
  where status <> 'provisioning' and tenant.owner is not null
    and (${owner} = 'all' or tenant.owner = ${owner})
    and (cardinality(${only}) = 0 or slug = any(${only}))`;

/** Each tenant with its schema, and with whom it belongs to: `service`, or a stack's full name; null for nobody. */
const allTenants = `
  select t.id, t.slug, t.status, t.created_at, 'tenant_' || t.id as schema_name,
    case when s.id is not null then 'service' else split_part(t.owner, '::', 1) end as owner
  from public.tenants t left join public.service_tenants s on s.id = t.id`;

/** Reads which tenants are chosen, in the order of their slugs. */
export async function readChosen(
  client: ClientBase,
  { owner, only }: Choice,
): Promise<{ id: string; slug: string; schemaName: string }[]> {
  const { rows } = await client.query<{ id: string; slug: string; schemaName: string }>(
    `select id, slug, schema_name as "schemaName"
    from (${chosenTenants("$1", "$2::text[]")}) as chosen order by slug`,
    [owner, only],
  );
  return rows;
}

/**
 * Checks that every slug that was named is a chosen tenant's.
 *
 * @throws {@link TenantsUnknownError} naming the others.
 */
export async function assertChosen(client: ClientBase, { owner, only }: Choice): Promise<void> {
  const { rows } = await client.query<{ slug: string }>(
    `select wanted as slug from unnest($2::text[]) wanted
    where wanted not in (select slug from (${chosenTenants("$1", "'{}'::text[]")}) as chosen)`,
    [owner, only],
  );
  if (rows.length === 0) return;
  const slugs = rows.map(({ slug }) => slug).join(", ");
  throw new TenantsUnknownError(
    `no tenant of ${owner === "all" ? "any owner" : owner} has the slug ${slugs}`,
  );
}
