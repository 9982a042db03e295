import type { PoolClient } from "pg";
import { because, type Connections } from "./connections";
import { asMemberOf } from "./roles";
import type { Schema } from "./schema-inputs";

/** A schema that is there, in which database, and who owns it. */
export interface LiveSchema {
  readonly database: string;
  readonly name: string;
  readonly owner: string;
}

/**
 * Makes the schema. When one of that name is there already, it is taken over as it is and only its owner
 * is set. The official plugin does the same, whatever `ifNotExists` says.
 *
 * @throws Error that says what PostgreSQL refused.
 */
export async function createSchema(
  connections: Connections,
  schema: Schema,
): Promise<LiveSchema | undefined> {
  const { name, owner } = schema;
  await connections.transaction(schema.database, async (client) => {
    const databaseOwner = await ownerOfDatabase(client);
    const roles = owner && owner !== databaseOwner ? [databaseOwner, owner] : [databaseOwner];
    await asMemberOf(client, roles, async () => {
      if ((await ownerOf(client, name)) !== undefined) {
        if (owner) await setOwner(client, name, owner);
        return;
      }
      const unlessThere = schema.ifNotExists ? "if not exists " : "";
      const authorization = owner ? ` authorization ${client.escapeIdentifier(owner)}` : "";
      await because(
        `error creating schema ${name}`,
        client.query(
          `create schema ${unlessThere}${client.escapeIdentifier(name)}${authorization}`,
        ),
      );
    });
  });
  return readSchema(connections, schema);
}

/** Looks for the schema; `undefined` when it, or its database, is gone. */
export async function readSchema(
  connections: Connections,
  { name, database = connections.config.database }: Pick<Schema, "name" | "database">,
): Promise<LiveSchema | undefined> {
  const isElsewhere = database !== connections.config.database;
  if (isElsewhere && !(await databaseExists(connections, database))) return undefined;
  const owner = await connections.transaction(database, (client) => ownerOf(client, name));
  return owner === undefined ? undefined : { database, name, owner };
}

/**
 * Renames the schema and gives it to another role, whichever of both differs.
 *
 * @returns `undefined` when the schema is gone.
 * @throws Error that says what PostgreSQL refused; then nothing has changed.
 */
export async function updateSchema(
  connections: Connections,
  before: Schema,
  after: Schema,
): Promise<LiveSchema | undefined> {
  await connections.transaction(before.database, async (client) => {
    if (after.name !== before.name) await rename(client, before.name, after.name);
    if (after.owner !== undefined && after.owner !== before.owner) {
      await setOwner(client, after.name, after.owner);
    }
  });
  return readSchema(connections, { name: after.name, database: before.database });
}

/**
 * Drops the schema, with all that it holds if `dropCascade`. When it is gone already, nothing happens.
 *
 * @throws Error that says what PostgreSQL refused.
 */
export async function dropSchema(connections: Connections, schema: Schema): Promise<void> {
  await connections.transaction(schema.database, async (client) => {
    if ((await ownerOf(client, schema.name)) === undefined) return;
    await asMemberOf(client, schema.owner ? [schema.owner] : [], async () => {
      const mode = schema.dropCascade ? "cascade" : "restrict";
      await because(
        "error deleting schema",
        client.query(`drop schema ${client.escapeIdentifier(schema.name)} ${mode}`),
      );
    });
  });
}

async function rename(client: PoolClient, from: string, to: string): Promise<void> {
  if (to === "") throw new Error("error setting schema name to an empty string");
  const [old, renamed] = [client.escapeIdentifier(from), client.escapeIdentifier(to)];
  await because(
    "error updating schema NAME",
    client.query(`alter schema ${old} rename to ${renamed}`),
  );
}

async function setOwner(client: PoolClient, name: string, owner: string): Promise<void> {
  if (owner === "") throw new Error("error setting schema owner to an empty string");
  const [schema, role] = [client.escapeIdentifier(name), client.escapeIdentifier(owner)];
  await because(
    "error updating schema OWNER",
    client.query(`alter schema ${schema} owner to ${role}`),
  );
}

async function ownerOf(client: PoolClient, name: string): Promise<string | undefined> {
  const { rows } = await because(
    "error reading schema",
    client.query<{ owner: string }>(
      "select pg_get_userbyid(nspowner) as owner from pg_namespace where nspname = $1",
      [name],
    ),
  );
  return rows[0]?.owner;
}

async function ownerOfDatabase(client: PoolClient): Promise<string> {
  const { rows } = await client.query<{ owner: string }>(
    "select pg_get_userbyid(datdba) as owner from pg_database where datname = current_database()",
  );
  return rows[0]?.owner ?? "";
}

async function databaseExists(connections: Connections, database: string): Promise<boolean> {
  const { rows } = await connections.transaction(undefined, (client) =>
    client.query("select from pg_database where datname = $1", [database]),
  );
  return rows.length > 0;
}
