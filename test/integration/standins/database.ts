import { Client } from "pg";
import { createTestDatabase } from "../../support/database";
import type { Properties } from "../../../engine/standins/postgresql/properties";

/** A database of a test's own, its owner (no superuser) and a role that the owner is a member of. */
export interface SchemaDatabase {
  readonly host: string;
  readonly port: string;
  readonly name: string;
  readonly owner: string;
  readonly password: string;
  readonly keeper: string;
  /** Runs SQL in it as a superuser. */
  query(sql: string): Promise<Record<string, unknown>[]>;
  /** Its schemas and their owners, as "name (owner)". */
  schemas(): Promise<string[]>;
  drop(): Promise<void>;
}

/** What a `postgresql.Provider` for the database is configured with. */
export function configOf(
  database: Pick<SchemaDatabase, "host" | "port" | "name" | "owner" | "password">,
): Properties {
  const { host, port, name, owner, password } = database;
  return { host, port, database: name, username: owner, password, sslmode: "disable" };
}

/** The state of a schema that the database's owner made. */
export function stateOf(database: SchemaDatabase, name: string): Properties {
  return {
    id: `${database.name}.${name}`,
    database: database.name,
    name,
    owner: database.owner,
    ifNotExists: true,
    dropCascade: false,
    policies: [],
  };
}

/** Makes the database and its roles. */
export async function createSchemaDatabase(): Promise<SchemaDatabase> {
  const database = await createTestDatabase();
  const { hostname, port, pathname, username, password } = new URL(database.url);
  const query = async (sql: string) => {
    const client = new Client({ connectionString: database.superuserUrl });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const keeper = `${username}_keeper`;
  await query(`create role ${keeper}`);
  await query(`grant ${keeper} to ${username}`);
  return {
    host: hostname,
    port: port || "5432",
    name: pathname.slice(1),
    owner: username,
    password,
    keeper,
    query,
    schemas: async () => {
      const rows = await query(
        `select format('%s (%s)', nspname, pg_get_userbyid(nspowner)) as schema from pg_namespace
          where nspname !~ '^pg_' and nspname not in ('information_schema', 'public') order by 1`,
      );
      return rows.map((row) => String(row.schema));
    },
    drop: async () => {
      await query(
        `revoke ${keeper} from ${username}; drop owned by ${keeper}; drop role ${keeper}`,
      );
      await database.drop();
    },
  };
}
