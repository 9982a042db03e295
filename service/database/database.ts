import type { ClientBase, QueryResultRow } from "pg";
import {
  inTransaction,
  isDatabaseError,
  withConnection,
  withSessionLock,
} from "../../provider/database/pool";
import { parseDatabaseUrl, type ConnectionSettings } from "../../provider/database/settings";
import { tenantLock } from "../../provider/database/tenant-lock";
import { BusyError, DatabaseDownError, DomainError } from "../system/errors";

/** Runs one statement and gives its rows. @throws DatabaseDownError; an error of pg where the statement is refused. */
export type Query = <Row extends QueryResultRow>(
  statement: string,
  values?: readonly unknown[],
) => Promise<Row[]>;

/**
 * The database that a service works on. Every method rejects with {@link DatabaseDownError} when the
 * database does not answer or cannot work now. An error over the statement itself is passed on as it is.
 */
export interface Database {
  readonly settings: ConnectionSettings;
  /** Runs one statement on a connection of the pool. */
  readonly query: Query;
  /** Runs `work` in one transaction, which is rolled back when `work` rejects. */
  readonly transaction: <T>(work: (query: Query) => Promise<T>) => Promise<T>;
  /**
   * Holds the tenant's lock while `work` runs, so that no other instance on the same database works on the
   * tenant at the time.
   *
   * @throws {@link BusyError} when another instance holds the lock for longer than {@link LOCK_WAIT_MS}.
   */
  readonly withTenantLock: <T>(tenantId: string, work: (query: Query) => Promise<T>) => Promise<T>;
}

/** How long an instance waits for the tenant's lock while another one holds it. */
const LOCK_WAIT_MS = 60_000;

/**
 * Makes the handle of a database. Connections are opened when they are needed.
 *
 * @param url `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
 * @throws TenantError where the URL cannot be used; its message names DATABASE_URL, where it comes from.
 */
export function openDatabase(url: string): Database {
  const settings = parseDatabaseUrl(url, "DATABASE_URL");
  return {
    settings,
    query: async (statement, values = []) =>
      reportDatabaseDown(withConnection(settings, (client) => rowsOf(client, statement, values))),
    transaction: (work) =>
      reportDatabaseDown(
        inTransaction(settings, (client) =>
          work((statement, values = []) => rowsOf(client, statement, values)),
        ),
      ),
    withTenantLock: (tenantId, work) => withTenantLock(settings, tenantId, work),
  };
}

async function withTenantLock<T>(
  settings: ConnectionSettings,
  tenantId: string,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  const name = tenantLock(tenantId);
  const result = { of: undefined as Promise<T> | undefined };
  try {
    return await withSessionLock(settings, name, LOCK_WAIT_MS, (client) => {
      result.of = work((statement, values = []) =>
        reportDatabaseDown(rowsOf(client, statement, values)),
      );
      return result.of;
    });
  } catch (error) {
    // An error of `work` is passed on as it is: only those of taking the lock are translated below.
    if (result.of !== undefined) return result.of;
    if (isDatabaseError(error, "55P03")) {
      // lock_not_available
      throw new BusyError(`another instance still works on tenant ${tenantId}`, { cause: error });
    }
    throw isDown(error) ? new DatabaseDownError(error) : error;
  }
}

/** Runs one statement on a connection and gives its rows. */
async function rowsOf<Row extends QueryResultRow>(
  client: ClientBase,
  statement: string,
  values: readonly unknown[],
): Promise<Row[]> {
  const { rows } = await client.query<Row>(statement, [...values]);
  return rows;
}

/**
 * Turns the errors of a database that is down, or cannot work now, into {@link DatabaseDownError}.
 *
 * @throws DatabaseDownError for those; every other error as it is.
 */
export async function reportDatabaseDown<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw isDown(error) ? new DatabaseDownError(error) : error;
  }
}

/**
 * SQLSTATE classes of a server that cannot work now: 08 connection, 28 login, 3D no such database,
 * 53 resources, 57P shutting down, 58 system; 25006 read-only, 55000 no connections are allowed, 57014
 * longer than statement_timeout. An error without a SQLSTATE comes from the network: no server answered.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
function isDown(error: unknown): boolean {
  // Thrown by our own code inside a transaction, so not an error of the database.
  if (error instanceof DomainError) return false;
  return !isDatabaseError(error) || /^(08|28|3D|53|57P|58|25006|55000|57014)/.test(error.code);
}
