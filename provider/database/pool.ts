import { Pool, type ClientBase, type PoolClient, type PoolConfig, type QueryResultRow } from "pg";
import { pgConfig } from "./client-config";
import { tlsFault } from "../connections/tls";
import { settingsOf, type ConnectionSettings, type DatabaseAddress } from "./settings";

/**
 * Runs `work` on a connection to the database, out of a pool that lives as long as the process. Idle
 * connections do not keep a process alive.
 *
 * @throws {@link ConfigurationError} when the variable is not usable; errors of pg as they are: SQLSTATE
 * 55P03 when a statement has waited for a lock for a minute.
 */
export async function withConnection<T>(
  database: DatabaseAddress,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  return withClient(database, workPool, work);
}

/**
 * Like {@link withConnection}, in one transaction: it is committed when `work` ends, and rolled back when
 * `work` throws.
 */
export async function inTransaction<T>(
  database: DatabaseAddress,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  return withConnection(database, async (client) => {
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

/**
 * Holds a session-level advisory lock while `work` runs, and gives `work` the connection that holds it.
 * PostgreSQL gives the lock back when that connection ends, so also when this process is killed.
 *
 * @param name The lock's name; all who use it in this database wait for each other.
 * @param waitMs How long to wait for the lock; 0 for no limit.
 * @throws {@link ConfigurationError} when the variable is not usable; errors of pg as they are: SQLSTATE
 * 55P03 when the lock could not be had in that time.
 */
export async function withSessionLock<T>(
  database: DatabaseAddress,
  name: string,
  waitMs: number,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  return withClient(database, lockPool, async (client, discard) => {
    // The role may have a statement_timeout of its own, which would end the wait earlier.
    await client.query(
      `select set_config('lock_timeout', $1, false), set_config('statement_timeout', '0', false)`,
      [String(waitMs)],
    );
    await client.query("select pg_advisory_lock(hashtextextended($1, 0))", [name]);
    try {
      return await work(client);
    } finally {
      const unlock = "select pg_advisory_unlock(hashtextextended($1, 0))";
      // Back in the pool with its lock, the connection would keep everybody else from it for nothing.
      await client.query(unlock, [name]).catch(discard);
    }
  });
}

/**
 * The rows of a query, or none where a table in it does not exist: a refresh of a database that has lost
 * its control tables must find nothing, and not fail.
 */
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

/** Tells whether the error is one that PostgreSQL reported, with this SQLSTATE if one is given. */
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

async function withClient<T>(
  database: DatabaseAddress,
  kind: PoolConfig,
  work: (client: PoolClient, discard: () => void) => Promise<T>,
): Promise<T> {
  const settings = settingsOf(database);
  const client = await poolFor(settings, kind)
    .connect()
    .catch((error: unknown) => {
      throw tlsFault(error, settings.host);
    });
  let broken = true;
  let discarded = false;
  try {
    const result = await work(client, () => (discarded = true));
    broken = false;
    return result;
  } catch (error) {
    // After an error that PostgreSQL reported, the connection can be used again; after others perhaps not.
    broken = !isDatabaseError(error) || endsSession(error);
    throw error;
  } finally {
    client.release(broken || discarded);
  }
}

/**
 * Whether the server ends the connection with this error: 57P shutting down or told to, 08 protocol, 25P03 and
 * 25P04 a transaction that took too long. Its end may be noticed later than the error.
 */
function endsSession({ code }: { readonly code: string }): boolean {
  return /^(57P|08|25P03|25P04)/.test(code);
}

/** How long a statement may wait for a lock: whoever holds one for longer will not give it back. */
const LOCK_TIMEOUT_MS = 60_000;

/** For statements. */
const workPool = { max: 8, lock_timeout: LOCK_TIMEOUT_MS };

/**
 * For session-level locks, whose connections are held for as long as the work under the lock takes. The
 * pool is large, so that nobody whose lock is free has to wait for a connection.
 */
const lockPool = { max: 64 };

const pools = new Map<string, Pool>();

function poolFor(settings: ConnectionSettings, kind: PoolConfig): Pool {
  const key = JSON.stringify([settings, kind]);
  const known = pools.get(key);
  if (known) return known;
  const pool = new Pool({
    ...pgConfig(settings),
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
    ...kind,
  });
  // The server may end a connection while no statement runs on it. pg then emits an error, and an error
  // event without a listener ends the process. Nothing is lost by ignoring it: the next statement fails.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  pools.set(key, pool);
  return pool;
}
