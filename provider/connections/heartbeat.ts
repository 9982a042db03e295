import { setTimeout as delay } from "node:timers/promises";
import type { Client, ClientBase, ClientConfig } from "pg";

/** How often a connection is asked whether it still answers, in ms. */
const BETWEEN_BEATS = 5_000;

/** How long its answer may take before the server is asked by another connection, in ms. */
const PATIENCE = 5_000;

/** How long a connection that was lost is looked for on the server again, after a failed try, in ms. */
const PAUSE = 1_000;

/**
 * Finds out when a connection has gone silent, and destroys it: its statement fails then, and its pool
 * forgets it. A firewall that forgets a connection tells neither side, and the system would go on
 * sending for a quarter of an hour; Node has no TCP_USER_TIMEOUT.
 *
 * So each connection is asked something every few seconds, between its own statements. A statement may
 * take as long as it takes: where one stands in the way of the answer, another connection asks the
 * server whether it is still at work on it. A session that this side has lost is ended on the server's
 * side too, where its locks and its open transaction would be in everybody's way.
 *
 * @param config What a connection to the same server is made with.
 */
export function watchConnection(client: ClientBase, config: ClientConfig): void {
  // What it is made by: a stand-in that only previews does without loading the client.
  const server = serverOf(config, client.constructor as ClientClass);
  // Not in its types: https://node-postgres.com/apis/client
  const { processID } = client as unknown as { processID: number };
  const session = { pid: processID, since: performance.now() };
  let asking = false;

  async function beat(): Promise<void> {
    if (asking) return;
    asking = true;
    const heard = { answer: false };
    // A refusal, as in a transaction that has failed, is an answer too.
    const answer = client
      .query("select")
      .catch(() => undefined)
      .then(() => (heard.answer = true));
    do {
      await Promise.race([answer, delay(PATIENCE, undefined, { ref: false })]);
    } while (!heard.answer && (await server.isAtWorkFor(session)));
    asking = false;
    // By `end()` its pool would keep it and give it to the next who asks. The words are those by which
    // everybody knows a connection that broke.
    if (!heard.answer) destroy(client, "Connection terminated: the server was silent for too long");
  }

  const beating = setInterval(() => void beat(), BETWEEN_BEATS).unref();
  client.on("end", () => clearInterval(beating));
  let over = false;
  // Not emitted for a connection that this side has ended.
  client.on("error", (error) => {
    // The server's word that it ends the session comes before the connection's end.
    if (!over && !isAnswer(error)) server.end(session);
    over = true;
  });
}

/** Whether it is the server that says so. */
function isAnswer(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "severity" in error;
}

function destroy(client: ClientBase, reason: string): void {
  const { connection } = client as unknown as Pick<Client, "connection">;
  connection.stream.destroy(new Error(reason));
}

/** A session of this process. */
interface Session {
  readonly pid: number;
  /** When its connection was made, by `performance.now()`. */
  readonly since: number;
}

/** What is asked of a server by connections that are made for it. */
interface ServerView {
  /** Whether the server works on the session's statement; also true when it refuses to say. */
  readonly isAtWorkFor: (session: Session) => Promise<boolean>;
  /** Ends a session whose connection was lost, as soon as the server can be reached. */
  readonly end: (session: Session) => void;
}

const servers = new Map<string, ServerView>();

type ClientClass = new (config: ClientConfig) => Client;

function serverOf(config: ClientConfig, makes: ClientClass): ServerView {
  const key = JSON.stringify(config);
  const server =
    servers.get(key) ??
    viewServer(() => new makes({ ...config, connectionTimeoutMillis: PATIENCE }));
  servers.set(key, server);
  return server;
}

function viewServer(newClient: () => Client): ServerView {
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
        some.map(({ since }) => performance.now() - since),
      ]).then(
        () => forget(some),
        // A server that starts, or whose database is gone, has no such session. One that is full has.
        (error: unknown) =>
          isAnswer(error) && !error.code.startsWith("53")
            ? forget(some)
            : delay(PAUSE, undefined, { ref: false }),
      );
    }
    ending = false;
  }

  return {
    async isAtWorkFor({ pid }) {
      // One look for all who want to know: where nothing answers, each takes seconds.
      looking ??= sessionsAtWork(newClient).finally(() => (looking = undefined));
      const atWork = await looking;
      return atWork === undefined || atWork.has(pid);
    },
    end(session) {
      lost.add(session);
      void endLost();
    },
  };
}

/** Undefined when the server answers, and lets nobody in. None when it does not answer. */
async function sessionsAtWork(newClient: () => Client): Promise<ReadonlySet<number> | undefined> {
  try {
    const rows = await ask<{ pid: number }>(newClient, atWork, () => []);
    return new Set(rows.map(({ pid }) => pid));
  } catch (error) {
    return isAnswer(error) ? undefined : new Set();
  }
}

// What has become idle just now is about to answer.
const atWork = `select pid from pg_stat_activity where usename = current_user
  and (state = 'active' or state_change > clock_timestamp() - interval '3 seconds')`;

// The number of a session that has ended may be another one's by now, one that is younger. The clocks
// of two machines do not run quite alike.
const endSessions = `select pg_terminate_backend(pid)
  from unnest($1::int[], $2::float8[]) as lost (pid, age)
  join pg_stat_activity using (pid)
  where usename = current_user
    and backend_start < clock_timestamp() - (age * 0.99 - 1000) * interval '1 ms'`;

/** Runs one statement on a connection of its own, which has seconds for all of it. */
async function ask<Row extends object>(
  newClient: () => Client,
  statement: string,
  values: () => unknown[],
): Promise<Row[]> {
  const client = newClient().on("error", () => undefined);
  const limit = setTimeout(() => destroy(client, "timeout expired"), 2 * PATIENCE).unref();
  try {
    await client.connect();
    return (await client.query<Row>(statement, values())).rows;
  } finally {
    clearTimeout(limit);
    await client.end();
  }
}
