import { Client, Pool, type PoolClient } from "pg";
import { pgConfig } from "../../provider/database/client-config";
import type { ConnectionSettings } from "../../provider/database/settings";

/** A pool of connections that can be closed while somebody uses them. */
export interface QueuePool {
  readonly pool: Pool;
  /** Gives out no more connections, and closes those in use in the middle of their statements. Does not wait. */
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
  // Without a listener, an `error` event (the server has ended a connection) would end the process.
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
      // Not awaited: it resolves when every connection is given back, and one that waits for a server that does
      // not answer is never given back.
      pool.end().catch(() => undefined);
      for (const client of clients) client.end().catch(() => undefined);
    },
  };
}

type Connected = Parameters<Pool["connect"]>[0];

/**
 * A pool that ignores a connection's second release. graphile-worker 0.17.3 releases one twice where it goes
 * down before its LISTEN is answered and the LISTEN then fails, as when the connection is cut: the
 * `release()` in its `listenForChanges()` does not remember that it was called. With pg's own pool the second
 * release throws in a promise that nobody awaits, and that ends the process.
 */
class ForgivingPool extends Pool {
  override connect(): Promise<PoolClient>;
  override connect(connected: Connected): void;
  override connect(connected?: Connected): Promise<PoolClient> | undefined {
    if (connected === undefined) return super.connect();
    super.connect((error, client, giveBack) => {
      if (client === undefined) {
        // There is no connection, so there is no release to guard.
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
