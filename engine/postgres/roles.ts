import { Client } from "pg";

import type { Credentials } from "./credentials";

/** The role that the project works as, and the name of the database that it owns. */
const OWNER = "pulumi_tenant";

export function ownerUrl({ port, ownerPassword }: Credentials): string {
  return url(OWNER, ownerPassword, port, OWNER);
}

export function superuserUrl({ port, superuserPassword }: Credentials): string {
  return url("postgres", superuserPassword, port, "postgres");
}

/**
 * `sslmode=disable` says in words what holds on the loopback address anyway: dbmate and the
 * postgresql plugin, which use Go's lib/pq, would else insist on TLS.
 */
function url(role: string, password: string, port: number, database: string): string {
  return `postgres://${role}:${password}@127.0.0.1:${port}/${database}?sslmode=disable`;
}

/** Whether a server answers there and lets us in. */
export async function accepts(connectionString: string): Promise<boolean> {
  const client = new Client({ connectionString, connectionTimeoutMillis: 5000 });
  // A server that goes away while we look is a "no", not an uncaught error.
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

/** Makes the owner role and its database, whichever of them is missing. */
export async function makeOwner(credentials: Credentials): Promise<void> {
  const client = new Client({ connectionString: superuserUrl(credentials) });
  await client.connect();
  try {
    // A failing statement is logged whole, and one of these holds a password.
    await client.query("set log_min_error_statement = panic");
    const role = await client.query("select from pg_roles where rolname = $1", [OWNER]);
    if (role.rowCount === 0) {
      const password = client.escapeLiteral(credentials.ownerPassword);
      await client.query(
        `create role ${OWNER} login nosuperuser nocreaterole nocreatedb password ${password}`,
      );
    }
    const database = await client.query("select from pg_database where datname = $1", [OWNER]);
    if (database.rowCount === 0) await client.query(`create database ${OWNER} owner ${OWNER}`);
  } finally {
    await client.end();
  }
}
