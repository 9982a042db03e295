import type { PoolClient } from "pg";
import { ConfigurationError } from "../contract/errors";

/**
 * Checks the product's roles before anything is granted to them.
 *
 * @throws {@link ConfigurationError} that names each role that is not there, and each that nothing can be closed
 * to: a superuser, and one that may act as the role which connects here, and which owns what it makes.
 */
export async function assertProductRoles(
  client: PoolClient,
  roles: readonly string[] = [],
): Promise<void> {
  if (roles.length === 0) return;
  const { rows } = await client.query<{ role: string; fault: string }>(
    `select role, case
      when r.oid is null then 'does not exist: create it first'
      when rolsuper then 'is a superuser, to whom no tenant can be closed: name another'
      else 'may act as ' || current_user || ', who owns the schemas: give the product a role of its own'
      end as fault
    from unnest($1::text[]) as wanted (role)
    left join pg_roles r on rolname = role
    where r.oid is null or rolsuper or pg_has_role(r.oid, current_user, 'member')`,
    [roles],
  );
  if (rows.length === 0) return;
  const faults = rows.map(({ role, fault }) => `role ${role} ${fault}`);
  throw new ConfigurationError(`productRoles: ${faults.join("; ")}`);
}

/**
 * Gives the roles their rights on what is in a schema, and on what later migrations make in it: to read and write
 * tables and views, to use sequences, to call functions. They can use none of it before the gate is open: see
 * {@link setGate}. A role that has the rights on later objects already is left as it is, so that what a migration
 * has revoked stays revoked. To be called in a transaction.
 *
 * @param removed Roles that are to lose all their rights in the schema, and on it.
 * @throws {@link ConfigurationError} as {@link assertProductRoles} does.
 */
export async function grantContents(
  client: PoolClient,
  schemaName: string,
  roles: readonly string[],
  removed: readonly string[],
): Promise<void> {
  await assertProductRoles(client, roles);
  // Two transactions that change the rights in one schema at once fail with "tuple concurrently updated".
  await client.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [
    `pulumi-tenant rights ${schemaName}`,
  ]);
  for (const statement of [revocations, grants]) {
    const { rows } = await client.query<{ sql: string }>(statement, [
      schemaName,
      statement === grants ? roles : removed,
    ]);
    for (const { sql } of rows) await client.query(sql);
  }
}

/**
 * Leaves the product's roles the right to read which migrations are applied, and takes that to change it. To be
 * called after the first migration, which makes the table.
 */
export async function protectVersions(
  client: PoolClient,
  schemaName: string,
  roles: readonly string[],
): Promise<void> {
  const table = `${client.escapeIdentifier(schemaName)}.schema_migrations`;
  const names = roles.map((role) => client.escapeIdentifier(role)).join(", ");
  await client.query(`revoke insert, update, delete on ${table} from ${names}`);
}

/** Whether a tenant's schema can be used: `open` to each of the product's roles, or `closed` to all. */
export type Gate = "open" | "closed";

/**
 * Opens the schema to the product's roles or closes it to them, by `USAGE` on it, without which no right on anything
 * in it is of use. Where it is to be closed and there is no such schema, does nothing. To be called in a
 * transaction that holds the tenant's row.
 *
 * @param removed Roles to whom it is closed in any case.
 * @throws {@link ConfigurationError} as {@link assertProductRoles} does.
 */
export async function setGate(
  client: PoolClient,
  schemaName: string,
  gate: Gate,
  roles: readonly string[],
  removed: readonly string[] = [],
): Promise<void> {
  if (gate === "open") await assertProductRoles(client, roles);
  const holders = await holdersOf(client, schemaName);
  const schema = client.escapeIdentifier(schemaName);
  const closedTo = gate === "open" ? removed : [...roles, ...removed];
  // Rights of PUBLIC are everybody's, so also the product's.
  const losing = [...holders.keys()].filter((role) => role === PUBLIC || closedTo.includes(role));
  for (const role of losing) {
    const name = role === PUBLIC ? role : client.escapeIdentifier(role);
    await client.query(`revoke all on schema ${schema} from ${name}`);
  }
  if (gate === "closed") return;
  for (const role of roles.filter((name) => holders.get(name) !== true)) {
    await client.query(`grant usage on schema ${schema} to ${client.escapeIdentifier(role)}`);
  }
}

/**
 * How the gate is found to be.
 *
 * @returns what {@link setGate} made of it; or other words, where somebody has changed it.
 */
export async function readGate(
  client: PoolClient,
  schemaName: string,
  roles: readonly string[],
): Promise<string> {
  return gateFound(await holdersOf(client, schemaName), roles);
}

/**
 * What {@link readGate} gives, of rights that were read before.
 *
 * @param holders Who has rights on the schema, its owner left out; true for those who have `USAGE`.
 */
export function gateFound(holders: ReadonlyMap<string, boolean>, roles: readonly string[]): string {
  if (holders.get(PUBLIC)) return "open to PUBLIC";
  const open = roles.filter((role) => holders.get(role));
  if (open.length === 0) return "closed";
  return open.length === roles.length ? "open" : `open to ${open.join(", ")} only`;
}

/** What stands for everybody where a role is named. No role can have this name. */
export const PUBLIC = "public";

/** Who has rights on a schema, its owner left out; true for those who have `USAGE`. */
async function holdersOf(client: PoolClient, schemaName: string): Promise<Map<string, boolean>> {
  const { rows } = await client.query<{ role: string; usage: boolean }>(
    `select coalesce(rolname, '${PUBLIC}') as role, bool_or(privilege_type = 'USAGE') as usage
    from pg_namespace, aclexplode(nspacl) left join pg_roles r on r.oid = grantee
    where nspname = $1 and grantee <> nspowner and (grantee = 0 or rolname is not null)
    group by 1`,
    [schemaName],
  );
  return new Map(rows.map(({ role, usage }) => [role, usage]));
}

// The objects of a schema that the roles of $2 are to use, those who make such objects in it, and what is granted
// on them. Of other roles' objects, only of those whom this one may act as. What is in the schema is looked up in
// pg_depend, which has an index for that: pg_class has none, and is large where there are many tenants.
const contents = `
  with place as (select oid, nspname, nspowner from pg_namespace where nspname = $1),
  part as (
    select classid, objid, nspname from pg_depend join place on refobjid = place.oid
    where refclassid = 'pg_namespace'::regclass),
  role as (select oid, rolname from pg_roles where rolname = any($2)),
  kind (kind, plural, rights, singular) as (values
    ('r', 'tables', 'select, insert, update, delete', 'table'),
    ('S', 'sequences', 'usage, select', 'sequence'),
    ('f', 'routines', 'execute', 'routine')),
  object as (
    select case relkind when 'S' then 'S' else 'r' end as kind, relowner as owner,
      format('%I.%I', nspname, relname) as name
    from part join pg_class on classid = 'pg_class'::regclass and oid = objid
    where relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    union all
    select 'f', proowner, format('%I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(oid))
    from part join pg_proc on classid = 'pg_proc'::regclass and oid = objid),
  maker as (
    select oid, rolname from pg_roles
    where (rolname = current_user
        or oid in (select nspowner from place union select owner from object))
      and pg_has_role(oid, 'usage')),
  later as (
    select maker.rolname as maker, maker.oid as owner, role.rolname as role, kind.*, d.oid is not null as has
    from maker cross join role cross join kind cross join place
    left join pg_default_acl d on defaclrole = maker.oid and defaclnamespace = place.oid
      and defaclobjtype::text = kind.kind
      and exists (select from aclexplode(defaclacl) where grantee = role.oid))`;

const grants = `${contents}
  select format('alter default privileges for role %I in schema %I grant %s on %s to %I',
    maker, $1, rights, plural, role) as sql from later where not has
  union all
  select format('grant %s on %s %s to %I', rights, singular, name, role)
  from later join object using (owner, kind) where not has`;

const revocations = `${contents}
  select format('alter default privileges for role %I in schema %I revoke all on %s from %I',
    maker, $1, plural, role) as sql from later where has
  union all
  select format('revoke all on %s %s from %I', singular, name, role)
  from later join object using (owner, kind)
  union all
  select format('revoke all on schema %I from %I', nspname, rolname) from place, role`;
