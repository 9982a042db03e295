import { Pool, type ClientBase, type PoolClient, type QueryResultRow } from "pg";
import { connectionSettings, pgConfig } from "./settings";

/**
 * Runs `work` on a connection to the database that the environment variable names.
 *
 * The pools live as long as the process: the engine keeps a provider's process for a whole run, and
 * the service for many. Idle connections do not keep a process alive.
 *
 * @throws ConfigurationError when the variable is not usable; errors of pg as they are.
 */
export async function withConnection<T>(
  variable: string | undefined,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  const client = await poolFor(variable).connect();
  // The server may end the connection while `work` asks it nothing, as during a migration. The next
  // statement tells; unheard, it ends the process.
  client.on("error", ignore);
  let broken = true;
  try {
    const result = await work(client);
    broken = false;
    return result;
  } catch (error) {
    // A refused statement leaves a usable connection, anything else may not.
    broken = !isDatabaseError(error);
    throw error;
  } finally {
    client.off("error", ignore);
    client.release(broken);
  }
}

/** Like {@link withConnection}, in one transaction: all of `work` is kept, or nothing. */
export async function inTransaction<T>(
  variable: string | undefined,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  return withConnection(variable, async (client) => {
    await client.query("begin");
    try {
      const result = await work(client);
      await client.query("commit");
      return result;
    } catch (error) {
      await client.query("rollback").catch(() => undefined);
      throw error;
    }
  });
}

/** The rows of a query; none where the table is not there, as a refresh must be able to tell. */
export async function rowsIfAny<Row extends QueryResultRow>(
  client: ClientBase,
  statement: string,
  values: unknown[] = [],
): Promise<Row[]> {
  try {
    return (await client.query<Row>(statement, values)).rows;
  } catch (error) {
    if (isDatabaseError(error, "42P01")) return []; // undefined_table
    throw error;
  }
}

/** Tells whether PostgreSQL refused a statement, with the given SQLSTATE if one is named. */
export function isDatabaseError(
  error: unknown,
  sqlstate?: string,
): error is Error & { code: string } {
  return (
    error instanceof Error &&
    "severity" in error &&
    "code" in error &&
    typeof error.code === "string" &&
    (sqlstate === undefined || error.code === sqlstate)
  );
}

const pools = new Map<string, Pool>();

const ignore = () => undefined;

function poolFor(variable: string | undefined): Pool {
  const settings = connectionSettings(variable);
  const key = JSON.stringify(settings);
  const known = pools.get(key);
  if (known) return known;
  const pool = new Pool({
    ...pgConfig(settings),
    max: 8,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
    // A statement of ours that waits longer than this waits for a lock that nobody gives back.
    lock_timeout: 60_000,
  });
  // An idle connection that the server closes is replaced at the next use; unheard, it ends the process.
  pool.on("error", ignore);
  pools.set(key, pool);
  return pool;
}
