import { Client, Pool, type PoolClient } from "pg";
import { pgConfig } from "../../provider/database/client-config";
import type { ConnectionSettings } from "../../provider/database/settings";

/** Connections to a database that can be cut, whoever has them. */
export interface QueuePool {
  readonly pool: Pool;
  /** Gives out no more, and cuts those that are out in the middle of what they do. Waits for nothing. */
  readonly destroy: () => void;
  readonly isDestroyed: () => boolean;
}

/**
 * Opens a pool.
 *
 * @param statementMs How long PostgreSQL may take for one statement; undefined for no limit.
 */
export function openQueuePool(
  settings: ConnectionSettings,
  max: number,
  statementMs?: number,
): QueuePool {
  const pool = new ForgivingPool({
    ...pgConfig(settings),
    max,
    ...(statementMs === undefined ? {} : { statement_timeout: statementMs }),
  });
  const clients = new Set<Client>();
  // Unheard, a connection that the server ends would end the process.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => {
    client.on("error", () => undefined);
    if (client instanceof Client) clients.add(client);
  });
  pool.on("remove", (client) => {
    if (client instanceof Client) clients.delete(client);
  });
  let destroyed = false;
  return {
    pool,
    isDestroyed: () => destroyed,
    destroy() {
      if (destroyed) return;
      destroyed = true;
      // It resolves when every connection is back, and a server that is silent gives none back.
      pool.end().catch(() => undefined);
      for (const client of clients) client.end().catch(() => undefined);
    },
  };
}

type Connected = Parameters<Pool["connect"]>[0];

/**
 * Takes no offence at a connection that is given back twice. The library does so where it goes down
 * while its LISTEN is not answered yet, and that fails then, as it does when the connection is cut: its
 * `release()` in `listenForChanges()` has no memory. The second one throws in a promise that nobody has,
 * which ends the process. So in 0.17.3.
 */
class ForgivingPool extends Pool {
  override connect(): Promise<PoolClient>;
  override connect(connected: Connected): void;
  override connect(connected?: Connected): Promise<PoolClient> | undefined {
    if (connected === undefined) return super.connect();
    super.connect((error, client, giveBack) => {
      if (client === undefined) {
        // Without a connection the pool gives nothing to give it back by.
        connected(error, client, giveBack);
        return;
      }
      let isBack = false;
      connected(error, client, (release) => {
        if (!isBack) giveBack(release);
        isBack = true;
      });
    });
    return undefined;
  }
}
