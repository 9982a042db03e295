import { once } from "node:events";
import type { Request, Response } from "express";

/** How often a comment is sent on an open stream: proxies close connections on which nothing is sent. */
const HEARTBEAT_MS = 15_000;

/** How long a client may read nothing of what waits for it before its stream is closed. */
const STALLED_MS = 30_000;

/** A state of something that is followed, as an event. */
export interface StateEvent {
  /** Grows from state to state, so that a caller can say which was the last that it has had; none where nothing counts. */
  readonly version?: number;
  /** Whether no other state comes after it. */
  readonly isLast: boolean;
  /** The whole state. */
  readonly data: object;
}

/**
 * Streams the states of something as server-sent events, up to its end: `step` for each state on the way, and `end` for
 * the last. An event's id is the state's version and its data the whole state, so a caller that reconnects with
 * `Last-Event-ID` and gets the next state has missed nothing.
 *
 * A client that reads slower than states come does not get all of them, so nothing piles up in memory for
 * it. One that does not read at all is disconnected, `stalledMs` after its connection has filled up.
 *
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export async function sendEvents(
  request: Request,
  response: Response,
  follow: (signal: AbortSignal) => AsyncIterable<StateEvent>,
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
    for await (const state of follow(gone.signal)) {
      // The end is sent even to a caller that has had it: without any event it would reconnect for ever.
      if ((state.version ?? Infinity) > seen || state.isLast) response.write(textOf(state));
      if (response.writableNeedDrain) await drained();
    }
  } finally {
    clearInterval(heartbeat);
    response.end();
  }
}

function textOf({ version, isLast, data }: StateEvent): string {
  const id = version === undefined ? "" : `id: ${version}\n`;
  return `${id}event: ${isLast ? "end" : "step"}\ndata: ${JSON.stringify(data)}\n\n`;
}
