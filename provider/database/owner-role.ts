import type { ClientBase } from "pg";
import { ConfigurationError } from "../contract/errors";
import { ownershipStatements } from "./ownership";
import { isDatabaseError, withConnection } from "./pool";
import type { DatabaseAddress } from "./settings";

/** How long a schema that changes its owner may wait for each of its tables, which others may be using. */
const OWNERSHIP_LOCK_TIMEOUT = "60s";

/** What the role that owns an isolated tenant's schema is called, and what of it is there. */
export interface OwnerRole {
  /** The schema's name and the database's oid: role names are the cluster's, and so are those oids. */
  readonly name: string;
  readonly exists: boolean;
  /** Whether the schema belongs to it. */
  readonly owns: boolean;
}

/** Looks up the role of a schema. */
export async function ownerRoleOf(client: ClientBase, schemaName: string): Promise<OwnerRole> {
  const { rows } = await client.query<OwnerRole>(
    `select name, r.oid is not null as "exists", coalesce(n.nspowner = r.oid, false) as owns
    from (select $1 || '_' || oid as name from pg_database where datname = current_database()) d
    left join pg_roles r on rolname = name
    left join pg_namespace n on nspname = $1`,
    [schemaName],
  );
  return rows[0] ?? { name: "", exists: false, owns: false };
}

/**
 * Makes sure that the schema and all that is in it belong to a role of the schema's own. What belonged to the
 * connected role before changes its owner; its grants stay, and so do the connected role's default privileges,
 * which are given for the owner too. All in one transaction: a role is never there without its schema.
 *
 * @returns the owner's name.
 * @throws {@link ConfigurationError} when the connected role may not make roles; errors of pg as they are.
 */
export async function isolateSchema(client: ClientBase, schemaName: string): Promise<string> {
  const { name, exists } = await ownerRoleOf(client, schemaName);
  const group = exists ? undefined : await makeGroup(client);
  const [role, schema] = [client.escapeIdentifier(name), client.escapeIdentifier(schemaName)];
  await inOwnTransaction(client, async () => {
    if (group !== undefined) {
      await client.query(`create role ${role} nologin noinherit`);
      // So that the connected role may still use and drop what the owner has.
      await client.query(`grant ${role} to current_user with inherit true, set true`);
      await client.query(`grant ${group} to ${role} with inherit true, set false`);
    }
    // dbmate makes a schema that is gone, and the owner may make none.
    await client.query(`create schema if not exists ${schema}`);
    await client.query(`alter schema ${schema} owner to ${role}`);
    const statements = await ownershipStatements(client, schemaName, name);
    for (const statement of statements) await client.query(statement);
  });
  return name;
}

/**
 * Gives an isolated schema back to the connected role, and drops its own role; grants to others stay. Does
 * nothing where there is no such role. To be called in a transaction.
 */
export async function dropOwnerRole(client: ClientBase, schemaName: string): Promise<void> {
  const { name, exists, owns } = await ownerRoleOf(client, schemaName);
  if (!exists) return;
  const role = client.escapeIdentifier(name);
  // Only what is left of a tenant whose schema is gone, such as a large object, may go with the role.
  if (owns) await client.query(`reassign owned by ${role} to current_user`);
  await client.query(`drop owned by ${role}`);
  await client.query(`drop role ${role}`);
}

/** Gives a schema that is not to be isolated any more back to the connected role, in a transaction. */
export async function endIsolation(client: ClientBase, schemaName: string): Promise<void> {
  const { exists } = await ownerRoleOf(client, schemaName);
  if (exists) await inOwnTransaction(client, () => dropOwnerRole(client, schemaName));
}

/**
 * Checks, before anything is made, that the connected role may make roles and let them connect.
 *
 * @throws {@link ConfigurationError} in one line that says what it lacks.
 */
export async function assertMayIsolate(database: DatabaseAddress): Promise<void> {
  await withConnection(database, assertMayMakeRoles);
}

async function assertMayMakeRoles(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ role: string; database: string; lacking: string[] }>(
    `select quote_ident(current_user) as role, quote_ident(current_database()) as database,
      array_remove(array[
        case when current_setting('server_version_num')::int < 160000
          then 'PostgreSQL 16 or newer' end,
        case when not (rolcreaterole or rolsuper)
          then format('CREATEROLE (alter role %I createrole)', current_user) end,
        case when not (rolsuper or has_database_privilege(current_database(), 'connect with grant option'))
          then format('the right to let them connect (grant connect on database %I to %I with grant option)',
            current_database(), current_user) end
      ], null) as lacking
    from pg_roles where rolname = current_user`,
  );
  const lacking = rows[0]?.lacking ?? [];
  if (lacking.length === 0) return;
  throw new ConfigurationError(
    `a role for each tenant (isolateMigrations, TENANT_ROLES) needs ${lacking.join(", and ")}: ` +
      `see docs/operating.md, or turn it off`,
  );
}

/**
 * The role through which every owner may connect to the database. If each had that right itself, the
 * database's row would grow with each tenant, and two that are made at once would change it at once, which
 * PostgreSQL refuses.
 */
async function makeGroup(client: ClientBase): Promise<string> {
  await assertMayMakeRoles(client);
  const { rows } = await client.query<{ name: string; database: string; exists: boolean }>(
    `select quote_ident('tenants_' || oid) as name, quote_ident(datname) as database,
      exists (select from pg_roles where rolname = 'tenants_' || oid) as "exists"
    from pg_database where datname = current_database()`,
  );
  const [{ name, database, exists } = { name: "", database: "", exists: true }] = rows;
  if (exists) return name;
  try {
    await inOwnTransaction(client, async () => {
      await client.query(`create role ${name} nologin`);
      await client.query(`grant connect on database ${database} to ${name}`);
    });
  } catch (error) {
    // Another run has made it just now: duplicate_object, or unique_violation where both began at once.
    if (!isDatabaseError(error, "42710") && !isDatabaseError(error, "23505")) throw error;
  }
  return name;
}

/** A transaction on a connection whose session holds a lock. Waits for tables, but not without a limit. */
async function inOwnTransaction(client: ClientBase, work: () => Promise<void>): Promise<void> {
  await client.query("begin");
  try {
    await client.query(`set local lock_timeout = '${OWNERSHIP_LOCK_TIMEOUT}'`);
    await work();
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => undefined);
    throw error;
  }
}
