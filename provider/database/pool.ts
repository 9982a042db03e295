import { Pool, type ClientBase, type PoolClient, type PoolConfig, type QueryResultRow } from "pg";
import { pgConfig, settingsOf, type DatabaseAddress } from "./settings";

/**
 * Runs `work` on a connection to the database.
 *
 * The pools live as long as the process: the engine keeps a provider's process for a whole run, and
 * the service for many. Idle connections do not keep a process alive.
 *
 * @throws ConfigurationError when the variable is not usable; errors of pg as they are.
 */
export async function withConnection<T>(
  database: DatabaseAddress,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  return withClient(poolFor(database, workPool), work);
}

/** Like {@link withConnection}, in one transaction: all of `work` is kept, or nothing. */
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
 * Holds a session-level advisory lock while `work` runs, on the connection that has it. However this
 * process ends, PostgreSQL gives the lock back.
 *
 * @param name Of the lock.
 * @param patience How long to wait for it, in ms; 0 for ever.
 * @throws errors of pg as they are: SQLSTATE 55P03 when somebody else holds the lock for too long.
 */
export async function withSessionLock<T>(
  database: DatabaseAddress,
  name: string,
  patience: number,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  return withClient(poolFor(database, lockPool), async (client, discard) => {
    // How long to wait is for the caller to say, not for the role's statement_timeout.
    await client.query(
      `select set_config('lock_timeout', $1, false), set_config('statement_timeout', '0', false)`,
      [String(patience)],
    );
    await client.query("select pg_advisory_lock(hashtextextended($1, 0))", [name]);
    try {
      return await work(client);
    } finally {
      const unlock = "select pg_advisory_unlock(hashtextextended($1, 0))";
      // A connection that is given back with its lock would hold it for nobody.
      await client.query(unlock, [name]).catch(discard);
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

async function withClient<T>(
  pool: Pool,
  work: (client: PoolClient, discard: () => void) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken = true;
  let discarded = false;
  try {
    const result = await work(client, () => (discarded = true));
    broken = false;
    return result;
  } catch (error) {
    // A refused statement leaves a usable connection, anything else may not.
    broken = !isDatabaseError(error);
    throw error;
  } finally {
    client.release(broken || discarded);
  }
}

/** For statements: one that waits longer than this waits for a lock that nobody gives back. */
const workPool = { max: 8, lock_timeout: 60_000 };

/**
 * For session-level locks, each for as long as what it guards. So many that nobody waits for a
 * connection who could have the lock.
 */
const lockPool = { max: 64 };

const pools = new Map<string, Pool>();

function poolFor(database: DatabaseAddress, kind: PoolConfig): Pool {
  const settings = settingsOf(database);
  const key = JSON.stringify([settings, kind]);
  const known = pools.get(key);
  if (known) return known;
  const pool = new Pool({
    ...pgConfig(settings),
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
    ...kind,
  });
  // The server may end a connection that is idle, or asked nothing just then as during a migration, or
  // being closed. The next statement tells; unheard, it ends the process.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  pools.set(key, pool);
  return pool;
}
