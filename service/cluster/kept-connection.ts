import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { pgConfig } from "../../provider/database/client-config";
import type { ConnectionSettings } from "../../provider/database/settings";
import { dropLock, tryLock } from "./liveness";

/** The pause after a failed try to connect, or to take a lock, before the next try. */
const RETRY_PAUSE_MS = 250;

/** How long the session may be lost, or without one of its locks, before `trouble` reports it. */
const GRACE_MS = 5_000;

/** How long to wait for the server's confirmation that it has ended a session. */
const END_WAIT_MS = 1_000;

/** A session of the database that is opened again whenever it is lost, however long that takes. */
export interface KeptConnection {
  /**
   * Has this session, and every later one, hold the lock that shows a worker or an instance alive.
   * Resolves when the lock is taken for the first time.
   */
  readonly hold: (name: string) => Promise<void>;
  /** Releases the lock. */
  readonly letGo: (name: string) => void;
  /** What is wrong with the session; undefined while it listens and holds all of its locks. */
  readonly trouble: () => string | undefined;
  /** Ends the session, and with it its locks; no other one is opened. */
  readonly close: () => Promise<void>;
}

interface Session {
  readonly client: Client;
  readonly held: Set<string>;
}

/**
 * Keeps a session open for what PostgreSQL ties to a session: LISTEN and session-level advisory locks.
 *
 * A new session listens first and takes its locks afterwards. Where only this side has noticed that the
 * connection was reset, the server still runs the old session, with the locks: for a moment where it can
 * be told to end it, for half a minute where it has to find out by itself. The new session therefore
 * tries the locks, and does not wait for them, so that notifications are received all the while. The other
 * instances see this one alive meanwhile, which is right: the old session's locks are not free. Once they
 * are, this session tries them within
 * {@link RETRY_PAUSE_MS}. That is much less than the time between the two looks (two-looks.ts) at which a
 * lock must be free for its holder to be taken for dead.
 */
export function keepConnection(
  settings: ConnectionSettings,
  on: {
    /** Called with each new session before it takes its locks: the place to LISTEN. */
    readonly connected: (client: Client) => Promise<void>;
    /** Called with each lock that a session has taken. If this rejects, the lock is released and tried again. */
    readonly locked: (client: Client, name: string) => Promise<void>;
    /** Called with each notification. */
    readonly notified: (channel: string, payload: string) => void;
  },
): KeptConnection {
  /** The names of the locks to hold → what resolves the promise of `hold`. */
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

  /** Opens one session and resolves when it has ended. @throws error of pg where it cannot be opened. */
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
    // A server that does not answer would keep `end()` waiting for ever.
    await Promise.race([client.end(), delay(END_WAIT_MS, undefined, { ref: false })]);
    destroy(client);
  }

  /** Takes and releases locks until the session holds those of `wanted`. Calls are queued after each other. */
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
