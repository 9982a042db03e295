import type { Request, Response } from "express";
import type { Operation } from "../operations/operation";
import { isSettled } from "../operations/operation";
import { viewOf } from "./operation-answers";

/** How often a silent stream says that it is alive, in ms: proxies close what is silent for long. */
const HEARTBEAT = 15_000;

/**
 * Streams the states of an operation as server-sent events, up to its end: `step` for each state on
 * the way, and `end` for the last. An event's id is the state's version, and its data all of the
 * state, so a caller that comes back with `Last-Event-ID` has missed nothing.
 *
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export async function sendEvents(
  request: Request,
  response: Response,
  follow: (signal: AbortSignal) => AsyncIterable<Operation>,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => {
    gone.abort();
  });
  const seen = Number(/^\d{1,15}$/.exec(request.get("Last-Event-ID") ?? "")?.[0] ?? 0);
  if (request.method === "HEAD") {
    response.type("text/event-stream").end();
    return;
  }
  response.status(200).set("Content-Type", "text/event-stream").flushHeaders();
  const heartbeat = setInterval(() => response.write(": alive\n\n"), HEARTBEAT);
  try {
    for await (const operation of follow(gone.signal)) {
      // The end is said also to who has heard it: or they would come back for ever.
      if (operation.version > seen || isSettled(operation)) response.write(eventOf(operation));
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
