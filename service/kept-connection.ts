import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { connectionSettings, DEFAULT_URL_VARIABLE, pgConfig } from "../provider/database/settings";

/** How long after a loss, or a failed try, the next connection is tried, in ms. */
const PAUSE = 250;

/** A connection to the database that is made again, for as long as it takes, whenever it is lost. */
export interface KeptConnection {
  /**
   * Runs a statement as soon as there is a connection, after those that were asked for before.
   * Rejects when the connection breaks meanwhile.
   */
  readonly query: (statement: string, values: readonly unknown[]) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Keeps a connection for what lasts as long as one: what is listened to, and session-level locks. */
export function keepConnection(on: {
  /** What a new connection has to do first. */
  readonly connected: (client: Client) => Promise<void>;
  readonly notified: (channel: string, payload: string) => void;
}): KeptConnection {
  let closing = false;
  let current = connectForLong();
  // A connection takes one statement at a time.
  let last: Promise<unknown> = Promise.resolve();

  async function connectForLong(): Promise<Client> {
    for (;;) {
      try {
        return await connectOnce();
      } catch (error) {
        if (closing) throw error;
        await delay(PAUSE, undefined, { ref: false });
      }
    }
  }

  async function connectOnce(): Promise<Client> {
    const client = new Client({
      ...pgConfig(connectionSettings(DEFAULT_URL_VARIABLE)),
      keepAlive: true,
    });
    client.on("error", () => undefined);
    client.on("notification", ({ channel, payload }) => on.notified(channel, payload ?? ""));
    try {
      await client.connect();
      await on.connected(client);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    client.once("end", () => {
      if (closing) return;
      current = connectForLong();
      current.catch(() => undefined);
    });
    return client;
  }

  current.catch(() => undefined);
  return {
    query(statement, values) {
      const work = last.then(async () => {
        await (await current).query(statement, [...values]);
      });
      last = work.catch(() => undefined);
      return work;
    },
    async close() {
      closing = true;
      await current.then((client) => client.end()).catch(() => undefined);
    },
  };
}
