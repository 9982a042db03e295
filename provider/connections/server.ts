import { setTimeout as delay } from "node:timers/promises";
import type { Client, ClientBase, ClientConfig } from "pg";

/** How long a connection may take to answer, or a new one to be made. */
export const ANSWER_TIMEOUT_MS = 5_000;

/** How long to wait after the server could not be reached, before it is tried again. */
const RETRY_DELAY_MS = 1_000;

/** A session of this process on the server. */
interface Session {
  /** The server's process for it, as `pg_stat_activity` lists it. */
  readonly pid: number;
  /** When its connection was made, by `performance.now()`. */
  readonly connectedAtMs: number;
}

/** What can be asked of a server about sessions of this process, over connections made for that. */
export interface Server {
  /** Whether the server is at work on a statement of the session; also true when it lets nobody ask. */
  readonly isAtWorkFor: (session: Session) => Promise<boolean>;
  /** Ends a session whose connection was lost, as soon as the server can be reached. */
  readonly end: (session: Session) => void;
}

/** The class of pg's clients, as it was loaded by whoever made the connection. */
export type ClientClass = new (config: ClientConfig) => Client;

const servers = new Map<string, Server>();

/** The server that connections of this `config` lead to: one object for all of them. */
export function serverOf(config: ClientConfig, ClientOfPg: ClientClass): Server {
  const key = JSON.stringify(config);
  const server =
    servers.get(key) ??
    newServer(() => new ClientOfPg({ ...config, connectionTimeoutMillis: ANSWER_TIMEOUT_MS }));
  servers.set(key, server);
  return server;
}

function newServer(newClient: () => Client): Server {
  const lost = new Set<Session>();
  let looking: Promise<ReadonlySet<number> | undefined> | undefined;
  let ending = false;
  const forget = (some: readonly Session[]) => some.forEach((session) => lost.delete(session));

  async function endLost(): Promise<void> {
    if (ending) return;
    ending = true;
    while (lost.size > 0) {
      const some = [...lost];
      await ask(newClient, endSessions, () => [
        some.map(({ pid }) => pid),
        some.map(({ connectedAtMs }) => performance.now() - connectedAtMs),
      ]).then(
        () => forget(some),
        // A server that is starting, or whose database is gone, has ended the sessions by that. One that
        // refuses because it is full (SQLSTATE class 53) still has them.
        (error: unknown) =>
          isFromServer(error) && !error.code.startsWith("53")
            ? forget(some)
            : delay(RETRY_DELAY_MS, undefined, { ref: false }),
      );
    }
    ending = false;
  }

  return {
    async isAtWorkFor({ pid }) {
      // All who ask at the same time share one query: while the server does not answer, it takes seconds.
      looking ??= sessionsAtWork(newClient).finally(() => (looking = undefined));
      const pids = await looking;
      return pids === undefined || pids.has(pid);
    },
    end(session) {
      lost.add(session);
      void endLost();
    },
  };
}

/** Undefined when the server answers but refuses to say; empty when it does not answer at all. */
async function sessionsAtWork(newClient: () => Client): Promise<ReadonlySet<number> | undefined> {
  try {
    const rows = await ask<{ pid: number }>(newClient, selectAtWork, () => []);
    return new Set(rows.map(({ pid }) => pid));
  } catch (error) {
    return isFromServer(error) ? undefined : new Set();
  }
}

// A session that went idle within the last seconds counts as well: its answer may be on its way.
const selectAtWork = `select pid from pg_stat_activity where usename = current_user
  and (state = 'active' or state_change > clock_timestamp() - interval '3 seconds')`;

// Once a session has ended, the system may give its pid to a new one, which must not be ended. So only a
// session that is as old as the lost connection is ended. The ages are compared with 1 % and one second
// to spare, because the clocks of two machines do not run at exactly the same speed.
const endSessions = `select pg_terminate_backend(pid)
  from unnest($1::int[], $2::float8[]) as lost (pid, age_ms)
  join pg_stat_activity using (pid)
  where usename = current_user
    and backend_start < clock_timestamp() - (age_ms * 0.99 - 1000) * interval '1 ms'`;

/** Runs one statement on a connection of its own, and gives it up after twice the answer's time limit. */
async function ask<Row extends object>(
  newClient: () => Client,
  statement: string,
  values: () => unknown[],
): Promise<Row[]> {
  const client = newClient().on("error", () => undefined);
  const limit = setTimeout(() => destroy(client, "timeout expired"), 2 * ANSWER_TIMEOUT_MS).unref();
  try {
    await client.connect();
    return (await client.query<Row>(statement, values())).rows;
  } finally {
    clearTimeout(limit);
    await client.end();
  }
}

/** Whether the server sent this error, rather than pg or the operating system. */
function isFromServer(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "severity" in error;
}

/** Closes a connection at once, without a word to the server; its statement fails with `reason`. */
export function destroy(client: ClientBase, reason: string): void {
  connectionOf(client).stream.destroy(new Error(reason));
}

/** The protocol's side of a client, which pg's types know of a `Client` only. */
export function connectionOf(client: ClientBase): Client["connection"] {
  return (client as unknown as Pick<Client, "connection">).connection;
}
