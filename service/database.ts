import { Client, type ClientBase, type QueryResultRow } from "pg";
import { isDatabaseError, withConnection } from "../provider/database/pool";
import { connectionSettings, DEFAULT_URL_VARIABLE, pgConfig } from "../provider/database/settings";
import { DatabaseDownError, SetUpBusyError, TenantConflictError, UnavailableError } from "./errors";

/** How long one instance waits for another's set-up of the same slug, in ms. */
const LOCK_TIMEOUT = 60_000;

/** Runs one statement and gives its rows. */
export type Query = <Row extends QueryResultRow>(
  statement: string,
  values?: readonly unknown[],
) => Promise<Row[]>;

/**
 * Runs one statement on the database of DATABASE_URL.
 *
 * @throws {@link DatabaseDownError} when the database does not answer or cannot work now; a refusal
 * of the statement as it is.
 */
export const query: Query = async (statement, values = []) => {
  return reach(withConnection(DEFAULT_URL_VARIABLE, (client) => rowsOf(client, statement, values)));
};

/** @throws {@link DatabaseDownError} when the database does not answer. */
export async function ping(): Promise<void> {
  await query("select");
}

/**
 * Holds the slug for this instance, against all others on the same database, while `work` runs.
 *
 * The lock belongs to a connection of its own, so PostgreSQL gives it back however this process ends.
 *
 * @throws {@link DatabaseDownError}, or {@link SetUpBusyError} when another instance holds it for too
 * long.
 */
export async function withSlugLock<T>(
  slug: string,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  const client = new Client({
    ...pgConfig(connectionSettings(DEFAULT_URL_VARIABLE)),
    lock_timeout: LOCK_TIMEOUT,
    keepAlive: true,
  });
  // A connection that breaks while nobody asks it anything would otherwise end the process.
  client.on("error", () => undefined);
  try {
    await reach(client.connect());
    await reach(lock(client, slug));
    return await work((statement, values = []) => reach(rowsOf(client, statement, values)));
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Runs one statement on a connection and gives its rows. */
export async function rowsOf<Row extends QueryResultRow>(
  client: ClientBase,
  statement: string,
  values: readonly unknown[],
): Promise<Row[]> {
  const { rows } = await client.query<Row>(statement, [...values]);
  return rows;
}

async function lock(client: Client, slug: string): Promise<void> {
  const name = `pulumi-tenant set-up of ${slug}`;
  try {
    await client.query("select pg_advisory_lock(hashtextextended($1, 0))", [name]);
  } catch (error) {
    // lock_not_available; query_canceled, by a statement_timeout that is shorter than ours
    if (!isDatabaseError(error, "55P03") && !isDatabaseError(error, "57014")) throw error;
    throw new SetUpBusyError(`another instance is still setting up tenant ${slug}`, {
      cause: error,
    });
  }
}

/** @throws {@link DatabaseDownError} for what a database that is down answers, or does not. */
export async function reach<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw isDown(error) ? new DatabaseDownError(error) : error;
  }
}

/**
 * SQLSTATE classes of a server that cannot work now: 08 connection, 28 login, 3D no such database,
 * 53 resources, 57P shutting down, 58 system; 25006 read-only, 55000 no connections are allowed, 57014
 * longer than statement_timeout. What has none never reached a server.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
function isDown(error: unknown): boolean {
  // What work in a transaction finds out is no word of the database.
  if (error instanceof TenantConflictError || error instanceof UnavailableError) return false;
  return !isDatabaseError(error) || /^(08|28|3D|53|57P|58|25006|55000|57014)/.test(error.code);
}
