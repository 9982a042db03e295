import { Client, type ClientBase } from "pg";
import { setForCopy } from "./copy-settings";
import { pgConfig } from "./client-config";
import { exportedTables, type ExportedTable } from "./exported-tables";
import { isDatabaseError } from "./pool";
import { schemaLock } from "./schema-lock";
import type { ConnectionSettings } from "./settings";

/** How long to wait for a migration, or for somebody else's lock on a table. */
const LOCK_WAIT = "10s";

/** A schema as it was at one moment, on a connection of its own. */
export interface Snapshot {
  readonly client: ClientBase;
  readonly takenAt: Date;
  /** In the order in which they can be loaded. Nobody can change their columns while the snapshot is open. */
  readonly tables: readonly ExportedTable[];
  /** Ends it, also while a statement runs. */
  readonly close: () => Promise<void>;
}

/**
 * Takes a snapshot of a schema, in a transaction that only reads. It waits for a migration that runs, and is taken
 * between two.
 *
 * The tables are locked before the snapshot is taken: a table that is rewritten between the two would be empty in
 * it, and one that gives its name to a view would have that view's functions called.
 *
 * @throws errors of pg as they are: SQLSTATE 55P03 where somebody else's lock could not be waited for, and 42501
 * where the role may not use the schema.
 */
export async function openSnapshot(
  settings: ConnectionSettings,
  schemaName: string,
): Promise<Snapshot> {
  const client = await connect(settings);
  const close = () => client.end().catch(() => undefined);
  try {
    await client.query("select set_config('lock_timeout', $1, false)", [LOCK_WAIT]);
    const lock = [schemaLock(schemaName)];
    await client.query("select pg_advisory_lock_shared(hashtextextended($1, 0))", lock);
    const tables = await lockTables(client, schemaName);
    const { rows } = await client.query<{ now: Date }>(
      "select now() from pg_advisory_unlock_shared(hashtextextended($1, 0))",
      lock,
    );
    return { client, tables, takenAt: rows[0]?.now ?? new Date(), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function connect(settings: ConnectionSettings): Promise<Client> {
  const config = pgConfig(settings);
  // The server would take a reader that is slower than its limit for one that is gone.
  const options = `${config.options ?? ""} -c tcp_user_timeout=0`;
  const client = new Client({ ...config, options });
  client.on("error", () => undefined);
  await client.connect();
  config.onConnect?.(client);
  return client;
}

async function lockTables(client: ClientBase, schemaName: string): Promise<ExportedTable[]> {
  for (;;) {
    const seen = await exportedTables(client, schemaName);
    const locks = seen
      .filter(({ fault }) => fault === null)
      .map(({ identifier }) => `lock table ${identifier} in access share mode`);
    try {
      // In one message: no statement of anybody else on this connection comes between them.
      await client.query(["begin isolation level repeatable read, read only", ...locks].join("; "));
      await setForCopy(client, schemaName);
      const tables = await exportedTables(client, schemaName);
      if (JSON.stringify(tables) === JSON.stringify(seen)) return tables;
    } catch (error) {
      // undefined_table: it was dropped just now.
      if (!isDatabaseError(error, "42P01")) throw error;
    }
    await client.query("rollback");
  }
}
