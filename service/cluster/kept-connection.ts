import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { pgConfig } from "../../provider/database/client-config";
import type { ConnectionSettings } from "../../provider/database/settings";
import { dropLock, tryLock } from "./liveness";

/** How long after a loss, or a failed try, the next connection, or a lock, is tried. */
const RETRY_PAUSE_MS = 250;

/** How long a session may be away, or without a lock, before it is trouble. */
const GRACE_MS = 5_000;

/** How long the server may take to say that it has ended a session. */
const END_WAIT_MS = 1_000;

/** A session of the database that is made again, for as long as it takes, whenever it is lost. */
export interface KeptConnection {
  /**
   * From now on this session, and every one after it, holds the lock that shows this worker, or this
   * instance, alive. Resolves when it is had for the first time.
   */
  readonly hold: (name: string) => Promise<void>;
  /** Gives the lock back. */
  readonly letGo: (name: string) => void;
  /** What is wrong with the session; undefined while it listens and holds what it should. */
  readonly trouble: () => string | undefined;
  readonly close: () => Promise<void>;
}

interface Session {
  readonly client: Client;
  readonly held: Set<string>;
}

/**
 * Keeps a session for what lasts as long as one: what is listened to, and session-level locks.
 *
 * It listens before it has its locks. After a reset that only this side has seen, the session before
 * still has them on the server: for a moment where the server can be told to end it (see
 * `watchConnection`), for half a minute where it has to find out. A lock that is tried, not waited for,
 * keeps nobody's notifications back. Meanwhile the others see this instance alive, and rightly: they
 * ask whether its lock is free, and the old session's is not. Once it is free, it is tried within
 * {@link RETRY_PAUSE_MS}, far less than the time between the two looks on which it must be free to be a dead
 * one's.
 */
export function keepConnection(
  settings: ConnectionSettings,
  on: {
    /** What a new session has to do first: to listen. */
    readonly connected: (client: Client) => Promise<void>;
    /** Told of each lock that a session has got. It is given back, and tried again, when this rejects. */
    readonly locked: (client: Client, name: string) => Promise<void>;
    readonly notified: (channel: string, payload: string) => void;
  },
): KeptConnection {
  /** The locks, and whom to tell of each that is had. */
  const wanted = new Map<string, () => void>();
  let closing = false;
  let close: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => (close = resolve));
  let current: Session | undefined;
  let troubledSince: number | undefined = performance.now();
  let settling = Promise.resolve();
  const kept = keep();

  async function keep(): Promise<void> {
    while (!closing) {
      const lived = await session().then(
        () => true,
        () => false,
      );
      current = undefined;
      troubledSince ??= performance.now();
      if (!lived) await Promise.race([closed, delay(RETRY_PAUSE_MS, undefined, { ref: false })]);
    }
  }

  /** Lives through one session, to its end. */
  async function session(): Promise<void> {
    const config = pgConfig(settings);
    const client = new Client(config);
    client.on("error", () => undefined);
    client.on("notification", ({ channel, payload }) => on.notified(channel, payload ?? ""));
    const ended = new Promise<void>((resolve) => client.once("end", resolve));
    try {
      await client.connect();
      config.onConnect?.(client);
      await on.connected(client);
    } catch (error) {
      destroy(client);
      throw error;
    }
    current = { client, held: new Set() };
    settle();
    await Promise.race([ended, closed]);
    // A server that is silent never says that it has ended the session.
    await Promise.race([client.end(), delay(END_WAIT_MS, undefined, { ref: false })]);
    destroy(client);
  }

  /** Brings the session's locks to what is wanted, one at a time: so does a connection its statements. */
  function settle(): void {
    const mine = current;
    settling = settling.then(async () => {
      while (mine !== undefined && mine === current && !closing) {
        const settled = await takeAndGive(mine).catch(() => false);
        if (settled) troubledSince = undefined;
        if (settled) return;
        troubledSince ??= performance.now();
        await delay(RETRY_PAUSE_MS, undefined, { ref: false });
      }
    });
  }

  async function takeAndGive({ client, held }: Session): Promise<boolean> {
    for (const name of [...held].filter((lock) => !wanted.has(lock))) {
      await client.query(dropLock, [name]);
      held.delete(name);
    }
    for (const [name, onHad] of wanted) {
      if (held.has(name)) continue;
      const { rows } = await client.query<{ had: boolean }>(tryLock, [name]);
      if (rows[0]?.had !== true) return false;
      try {
        await on.locked(client, name);
      } catch (error) {
        await client.query(dropLock, [name]);
        throw error;
      }
      held.add(name);
      onHad();
    }
    return true;
  }

  return {
    hold(name) {
      const had = new Promise<void>((resolve) => wanted.set(name, resolve));
      settle();
      return had;
    },
    letGo(name) {
      wanted.delete(name);
      settle();
    },
    trouble() {
      if (troubledSince === undefined || performance.now() - troubledSince < GRACE_MS)
        return undefined;
      return current === undefined
        ? "the session that listens is lost"
        : "the lock that shows this instance alive cannot be had";
    },
    async close() {
      closing = true;
      close();
      await kept;
    },
  };
}

function destroy(client: Client): void {
  client.connection.stream.destroy();
}
