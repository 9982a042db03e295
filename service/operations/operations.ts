import { setTimeout as delay } from "node:timers/promises";
import type { Database } from "../database/database";
import { accept, type Asking } from "./accept";
import { CHANNEL, Changes } from "./changes";
import { isAnswerable, type Operation } from "./store/operation";
import { findOperation } from "./store/store";

/** What a caller can do with operations. */
export interface Operations {
  /** Accepts what is asked for; undefined where nothing is to be done. @throws as `accept` does. */
  readonly accept: <Request extends object>(
    asking: Asking<Request>,
  ) => Promise<Operation | undefined>;
  /** The operation with this id. @throws DatabaseDownError */
  readonly find: (id: string) => Promise<Operation | undefined>;
  /** Waits for what its caller can be told, no longer than callers wait; gives the state it has then. */
  readonly answerable: (operation: Operation) => Promise<Operation>;
  /** Gives each state of an operation as it comes, up to its end, the signal's, or the service's. */
  readonly follow: (id: string, signal: AbortSignal) => AsyncIterable<Operation>;
}

/** Operations as one instance of the service serves them. */
export interface ServedOperations extends Operations {
  /** The channel that notifies of changes, and what to call for each: without an id when some were missed. */
  readonly channel: string;
  readonly notify: (id?: string) => void;
  /** Ends every wait: nobody is kept waiting by a service that goes down. */
  readonly close: () => void;
}

/** Operations in a database. */
export function serveOperations(settings: {
  readonly database: Database;
  /** How many may be alive. */
  readonly limit: number;
  /** How long callers wait for an end. */
  readonly waitMs: number;
}): ServedOperations {
  const { database, limit, waitMs } = settings;
  const changes = new Changes(database.query);
  return {
    accept: (asking) => accept(database, asking, limit),
    find: (id) => findOperation(database.query, id),
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
      const limit = delay(waitMs, undefined, { signal }).catch(() => undefined);
      await Promise.race([watch(), limit]).finally(() => patience.abort());
      return latest;
    },
    follow: (id, signal) => changes.follow(id, signal),
    channel: CHANNEL,
    notify: changes.notify,
    close: changes.close,
  };
}
