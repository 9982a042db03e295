import { setTimeout as delay } from "node:timers/promises";
import { accept, type Asked } from "./accept";
import { CHANNEL, Changes } from "./changes";
import { isAnswerable, type Operation } from "./operation";
import { findOperation } from "./store";

/** What a caller can do with operations. */
export interface Operations {
  /** Accepts a set-up. @throws what {@link accept} does. */
  readonly accept: (asked: Asked) => Promise<Operation>;
  /** The operation with this id. @throws DatabaseDownError */
  readonly find: (id: string) => Promise<Operation | undefined>;
  /** Waits for what its caller can be told, no longer than callers wait; gives the state it has then. */
  readonly answerable: (operation: Operation) => Promise<Operation>;
  /** Gives each state of an operation as it comes, up to its end, the signal's, or the service's. */
  readonly follow: (id: string, signal: AbortSignal) => AsyncIterable<Operation>;
}

/** Operations as one instance of the service serves them. */
export interface ServedOperations extends Operations {
  /** The channel that tells changes, and what to call for each: without an id when some were missed. */
  readonly channel: string;
  readonly tell: (id?: string) => void;
  /** Ends every wait: nobody is kept waiting by a service that goes down. */
  readonly leave: () => void;
}

/** Operations in the database of DATABASE_URL. */
export function serveOperations(settings: {
  /** How many may be alive. */
  readonly limit: number;
  /** How long callers wait for an end, in ms. */
  readonly wait: number;
}): ServedOperations {
  const changes = new Changes();
  return {
    accept: (asked) => accept(asked, settings.limit),
    find: findOperation,
    async answerable(operation) {
      const patience = new AbortController();
      const { signal } = patience;
      let latest = operation;
      const watch = async () => {
        for await (const state of changes.follow(operation.id, signal)) {
          latest = state;
          if (isAnswerable(state)) return;
        }
      };
      // Not by the next state: a database that is silent keeps it back.
      const limit = delay(settings.wait, undefined, { signal }).catch(() => undefined);
      await Promise.race([watch(), limit]).finally(() => patience.abort());
      return latest;
    },
    follow: (id, signal) => changes.follow(id, signal),
    channel: CHANNEL,
    tell: changes.tell,
    leave: changes.leave,
  };
}
