import type { ClientBase } from "pg";
import { sessionName } from "./dbmate-process";
import { withSessionLock } from "./pool";
import type { DatabaseAddress } from "./settings";

/**
 * Holds a lock on the schema while `work` runs. dbmate takes none of its own: two of them at once would
 * run the same file twice. And a role that two let log in at once would have the password of one of them.
 *
 * @param waitMs How long to wait for the lock; 0 for no limit.
 * @throws what `work` throws; {@link ConfigurationError}; errors of pg as they are: SQLSTATE 55P03 when the
 * lock could not be had in that time.
 */
export async function withSchemaLock<T>(
  database: DatabaseAddress,
  schemaName: string,
  waitMs: number,
  work: (client: ClientBase) => Promise<T>,
): Promise<T> {
  return withSessionLock(database, schemaLock(schemaName), waitMs, async (client) => {
    await endOrphans(client, schemaName);
    return work(client);
  });
}

/** The name of the lock on a schema; the lock's key is `hashtextextended(name, 0)`. */
export function schemaLock(schemaName: string): string {
  return `pulumi-tenant migrations ${schemaName}`;
}

/**
 * Ends the sessions of dbmate that a killed run left: PostgreSQL gave back that run's lock at once, while
 * its migration may still be running in the server. Whoever has the lock has started no dbmate yet, so
 * every session with the schema's name, or of the schema's own role, is such a one.
 */
async function endOrphans(client: ClientBase, schemaName: string): Promise<void> {
  for (;;) {
    const { rowCount } = await client.query(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity a
      join pg_database d on d.oid = datid and d.datname = current_database()
      where application_name = $1 or usename = $2 || '_' || datid`,
      [sessionName(schemaName), schemaName],
    );
    if (rowCount === 0) return;
  }
}
