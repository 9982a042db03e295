import { Client } from "pg";

import type { Credentials } from "./credentials";

/** The role that the project works as, and the name of the database that it owns. */
const OWNER = "pulumi_tenant";

/** The URL of the role that owns the database and has no other rights. */
export function ownerUrl({ port, ownerPassword }: Credentials): string {
  return url(OWNER, ownerPassword, port, OWNER);
}

/** The URL of the superuser, on the database `postgres`. */
export function superuserUrl({ port, superuserPassword }: Credentials): string {
  return url("postgres", superuserPassword, port, "postgres");
}

/**
 * `sslmode=disable`: dbmate and the postgresql plugin use Go's lib/pq, which asks for TLS unless the URL
 * says otherwise. The embedded server has no TLS and listens on the loopback address only.
 */
function url(role: string, password: string, port: number, database: string): string {
  return `postgres://${role}:${password}@127.0.0.1:${port}/${database}?sslmode=disable`;
}

/** Whether a server answers at this URL and accepts the login, within 5 seconds. */
export async function accepts(connectionString: string): Promise<boolean> {
  const client = new Client({ connectionString, connectionTimeoutMillis: 5000 });
  // When the server ends during this check the client emits an error, which nobody else handles.
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query("select 1");
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Makes the owner role and its database, whichever of them is missing.
 *
 * @param makesRoles Whether the owner may make other roles.
 * @throws Error of PostgreSQL
 */
export async function makeOwner(credentials: Credentials, makesRoles: boolean): Promise<void> {
  const client = new Client({ connectionString: superuserUrl(credentials) });
  await client.connect();
  try {
    // PostgreSQL logs a statement that fails with its whole text, and one of these holds a password.
    await client.query("set log_min_error_statement = panic");
    const role = await client.query("select from pg_roles where rolname = $1", [OWNER]);
    if (role.rowCount === 0) {
      const password = client.escapeLiteral(credentials.ownerPassword);
      await client.query(
        `create role ${OWNER} login nosuperuser nocreaterole nocreatedb password ${password}`,
      );
    }
    await client.query(`alter role ${OWNER} ${makesRoles ? "createrole" : "nocreaterole"}`);
    const database = await client.query("select from pg_database where datname = $1", [OWNER]);
    if (database.rowCount === 0) await client.query(`create database ${OWNER} owner ${OWNER}`);
  } finally {
    await client.end();
  }
}
