import type { ClientBase } from "pg";
import { PUBLIC } from "../product-roles";
import type { WantedFacets } from "./facet";

/** What is there of a tenant, as far as the catalogs and the control tables say it. */
export interface FoundFacets {
  readonly id: string;
  /** Its row; null where there is none. */
  readonly row: {
    readonly name: string;
    readonly slug: string;
    readonly owner: string | null;
    readonly status: string;
    readonly adminId: string | null;
  } | null;
  /** The user who has the e-mail of the declared admin; null where nobody has it. */
  readonly declaredAdminId: string | null;
  /** The role that the admin has in the tenant; null where the admin is no member. */
  readonly memberRole: string | null;
  /** Its schema; null where there is none. */
  readonly schema: {
    readonly owner: string;
    /** Whether the connected role may do what the owner may. */
    readonly isOurs: boolean;
    /** Whether the owner is the role that is made for just this schema. */
    readonly isIsolated: boolean;
    /** Whether the table is there in which dbmate keeps the applied versions. */
    readonly isMigrated: boolean;
    /** Whether somebody is changing a table in it just now: its definitions cannot be read until that ends. */
    readonly isChanging: boolean;
    /** Who has rights on it, the owner left out: true for those who have USAGE. Everybody is `public`. */
    readonly holders: Readonly<Record<string, boolean>>;
  } | null;
  /** The files that are on record as applied: file → digest. */
  readonly digests: Readonly<Record<string, string>>;
}

/**
 * Reads what is there of many tenants, in one statement. It reads no table of a tenant, and so waits for none and
 * keeps nobody waiting.
 *
 * @returns one for each of the tenants, in their order.
 */
export async function findFacets(
  client: ClientBase,
  tenants: readonly WantedFacets[],
): Promise<FoundFacets[]> {
  const { rows } = await client.query<FoundFacets>(statement, [
    tenants.map(({ id }) => id),
    tenants.map(({ declared }) => declared?.adminEmail ?? null),
  ]);
  return rows;
}

const statement = `
  with changing as materialized (
    select distinct relnamespace from pg_locks l join pg_class c on c.oid = l.relation
    where l.mode = 'AccessExclusiveLock' and l.granted
      and l.database = (select oid from pg_database where datname = current_database())
  )
  select w.id,
    case when t.id is not null then jsonb_build_object('name', t.name, 'slug', t.slug, 'owner', t.owner,
      'status', t.status, 'adminId', t.admin_user_id) end as "row",
    u.id as "declaredAdminId",
    (select role from public.tenant_users
      where tenant_id = w.id and user_id = coalesce(u.id, t.admin_user_id)) as "memberRole",
    case when n.oid is not null then jsonb_build_object(
      'owner', pg_get_userbyid(nspowner),
      'isOurs', pg_has_role(nspowner, 'usage'),
      'isIsolated', pg_get_userbyid(nspowner) = nspname || '_' || d.oid,
      'isMigrated', exists (select from pg_class where relnamespace = n.oid and relname = 'schema_migrations'),
      'isChanging', n.oid in (select relnamespace from changing),
      'holders', (
        select coalesce(jsonb_object_agg(role, usage), '{}') from (
          select coalesce(rolname, '${PUBLIC}') as role, bool_or(privilege_type = 'USAGE') as usage
          from aclexplode(nspacl) left join pg_roles r on r.oid = grantee
          where grantee <> nspowner and (grantee = 0 or rolname is not null)
          group by 1
        ) held
      )
    ) end as schema,
    (select coalesce(jsonb_object_agg(file, digest), '{}') from public.tenant_migration_digests
      where schema_name = 'tenant_' || w.id) as digests
  from unnest($1::uuid[], $2::text[]) with ordinality as w (id, email, place)
  join pg_database d on datname = current_database()
  left join public.tenants t on t.id = w.id
  left join public.users u on lower(u.email) = lower(w.email)
  left join pg_namespace n on nspname = ('tenant_' || w.id)::name
  order by w.place`;
