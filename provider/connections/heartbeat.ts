import { setTimeout as delay } from "node:timers/promises";
import type { ClientBase, ClientConfig } from "pg";
import { ANSWER_TIMEOUT_MS, connectionOf, destroy, serverOf, type ClientClass } from "./server";

/** How often each connection is asked whether it still answers. */
const BEAT_INTERVAL_MS = 5_000;

/**
 * Finds out when a connection has gone silent, and destroys it: its statement fails then, and its pool
 * removes it. A firewall that drops a connection tells neither side. Without this the operating system
 * would send again for a quarter of an hour before it gave up; Node cannot set TCP_USER_TIMEOUT.
 *
 * Every few seconds the connection gets a statement of ours, between its own. While one of its own runs,
 * ours waits behind it, for as long as that takes. So when no answer comes in time, a second connection
 * asks the server whether the first one's session is still at work.
 *
 * When this side has lost a connection, its session is ended on the server too. Otherwise the server
 * would keep it, with its locks and its open transaction, and others would wait for them.
 *
 * @param config How `client` was made: a second connection to the same server is made with it.
 */
export function watchConnection(client: ClientBase, config: ClientConfig): void {
  // The class comes from the client, so that this file does not load pg: the stand-in for the postgresql
  // plugin imports this file and needs pg only once it connects.
  const server = serverOf(config, client.constructor as ClientClass);
  // Not in its types: https://node-postgres.com/apis/client
  const { processID } = client as unknown as { processID: number };
  const session = { pid: processID, connectedAtMs: performance.now() };
  let asking = false;

  async function beat(): Promise<void> {
    if (asking) return;
    asking = true;
    const heard = { answer: false };
    // A refusal is an answer too: in a transaction that has failed, every statement is refused.
    const answer = client
      .query("select")
      .catch(() => undefined)
      .then(() => (heard.answer = true));
    do {
      await Promise.race([answer, delay(ANSWER_TIMEOUT_MS, undefined, { ref: false })]);
    } while (!heard.answer && (await server.isAtWorkFor(session)));
    asking = false;
    // Not by `end()`: that waits for the server, and the pool would lend the connection to others until
    // then. The message starts as pg's own does, by which its users recognise a broken connection.
    if (!heard.answer) destroy(client, "Connection terminated: the server was silent for too long");
  }

  const beating = setInterval(() => void beat(), BEAT_INTERVAL_MS).unref();
  client.on("end", () => clearInterval(beating));
  let over = false;
  // When the server itself ends the session, it says so first, and there is nothing left to end. pg gives
  // that message to the statement that runs at the time, if one does, and not to the listener below.
  connectionOf(client).prependListener(
    "errorMessage",
    ({ code = "" }: { readonly code?: string }) => {
      over ||= ENDS_SESSION.test(code);
    },
  );
  // pg emits no error when this side ends a connection on purpose.
  client.on("error", () => {
    if (!over) server.end(session);
    over = true;
  });
}

/**
 * The SQLSTATEs with which a server ends a session: shutdown, crash, a dropped database, and the limits for
 * sessions that are idle. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const ENDS_SESSION = /^(57P0[1245]|25P0[34])$/;
