import type { ClientBase, QueryResultRow } from "pg";
import { isDatabaseError, withConnection, withSessionLock } from "../../provider/database/pool";
import { DEFAULT_URL_VARIABLE } from "../../provider/database/settings";
import {
  DatabaseDownError,
  SetUpBusyError,
  TakenOverError,
  TenantConflictError,
  UnavailableError,
} from "../system/errors";

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

/** The name of the lock that is held while a tenant is set up: the key is its `hashtextextended(…, 0)`. */
export const slugLock = (slug: string) => `pulumi-tenant set-up of ${slug}`;

/**
 * Holds the slug for this instance, against all others on the same database, while `work` runs.
 *
 * @throws {@link DatabaseDownError}, or {@link SetUpBusyError} when another instance holds it for too
 * long.
 */
export async function withSlugLock<T>(
  slug: string,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  const name = slugLock(slug);
  const result = { of: undefined as Promise<T> | undefined };
  try {
    return await withSessionLock(DEFAULT_URL_VARIABLE, name, LOCK_TIMEOUT, (client) => {
      result.of = work((statement, values = []) => reach(rowsOf(client, statement, values)));
      return result.of;
    });
  } catch (error) {
    // What the work itself fails of is its own to tell.
    if (result.of !== undefined) return result.of;
    if (isDatabaseError(error, "55P03")) throw new SetUpBusyError(busy(slug), { cause: error }); // lock_not_available
    throw isDown(error) ? new DatabaseDownError(error) : error;
  }
}

const busy = (slug: string) => `another instance is still setting up tenant ${slug}`;

/** Runs one statement on a connection and gives its rows. */
export async function rowsOf<Row extends QueryResultRow>(
  client: ClientBase,
  statement: string,
  values: readonly unknown[],
): Promise<Row[]> {
  const { rows } = await client.query<Row>(statement, [...values]);
  return rows;
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
  const found = [TenantConflictError, TakenOverError, UnavailableError];
  if (found.some((kind) => error instanceof kind)) return false;
  return !isDatabaseError(error) || /^(08|28|3D|53|57P|58|25006|55000|57014)/.test(error.code);
}
