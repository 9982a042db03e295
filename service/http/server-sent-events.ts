import { once } from "node:events";
import type { Request, Response } from "express";
import type { Operation } from "../operations/store/operation";
import { isSettled } from "../operations/store/operation";
import { viewOf } from "./operation-answers";

/** How often a comment is sent on an open stream: proxies close connections on which nothing is sent. */
const HEARTBEAT_MS = 15_000;

/** How long a client may read nothing of what waits for it before its stream is closed. */
const STALLED_MS = 30_000;

/**
 * Streams the states of an operation as server-sent events, up to its end: `step` for each state on the
 * way, and `end` for the last. An event's id is the operation's version and its data the whole operation, so a
 * caller that reconnects with `Last-Event-ID` and gets the next state has missed nothing.
 *
 * A client that reads slower than states come does not get all of them, so nothing piles up in memory for
 * it. One that does not read at all is disconnected, `stalledMs` after its connection has filled up.
 *
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export async function sendEvents(
  request: Request,
  response: Response,
  follow: (signal: AbortSignal) => AsyncIterable<Operation>,
  stalledMs = STALLED_MS,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => {
    gone.abort();
  });
  // The caller hung up before the listener above was added, while the operation was read.
  if (response.closed) return;
  const seen = Number(/^\d{1,15}$/.exec(request.get("Last-Event-ID") ?? "")?.[0] ?? 0);
  if (request.method === "HEAD") {
    response.type("text/event-stream").end();
    return;
  }
  response.status(200).set("Content-Type", "text/event-stream").flushHeaders();
  const heartbeat = setInterval(() => {
    if (!response.writableNeedDrain) response.write(": alive\n\n");
  }, HEARTBEAT_MS);
  /** Resolves when the client has read what waits for it, or is gone. */
  const drained = async () => {
    const impatient = setTimeout(() => response.destroy(), stalledMs);
    await once(response, "drain", { signal: gone.signal }).catch(() => undefined);
    clearTimeout(impatient);
  };
  try {
    for await (const operation of follow(gone.signal)) {
      // The end is sent even to a caller that has had it: without any event it would reconnect for ever.
      if (operation.version > seen || isSettled(operation)) response.write(eventOf(operation));
      if (response.writableNeedDrain) await drained();
    }
  } finally {
    clearInterval(heartbeat);
    response.end();
  }
}

function eventOf(operation: Operation): string {
  const name = isSettled(operation) ? "end" : "step";
  return `id: ${operation.version}\nevent: ${name}\ndata: ${JSON.stringify(viewOf(operation))}\n\n`;
}
