import { once } from "node:events";
import type { Request, Response } from "express";
import type { Operation } from "../operations/store/operation";
import { isSettled } from "../operations/store/operation";
import { viewOf } from "./operation-answers";

/** How often a silent stream says that it is alive, in ms: proxies close what is silent for long. */
const HEARTBEAT_MS = 15_000;

/** After how many ms a stream is ended whose client reads nothing of what waits for it. */
const STALLED_MS = 30_000;

/**
 * Streams the states of an operation as server-sent events, up to its end: `step` for each state on
 * the way, and `end` for the last. An event's id is the state's version, and its data all of the
 * state, so a caller that comes back with `Last-Event-ID` has missed nothing.
 *
 * For a client that reads slower than states come, those between are left out: nothing piles up for it.
 * One that does not read at all is cut off, `stalledMs` after its connection has filled up.
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
  // One who hung up while the operation was read.
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
      // The end is said also to who has heard it: or they would come back for ever.
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
