import { setTimeout as delay } from "node:timers/promises";
import type { Database } from "../database/database";
import type { Page, Place } from "../database/pages";
import { accept, type AcceptSettings, type Asking } from "./accept";
import { CHANNEL, Changes } from "./changes";
import { listOperations, type OperationFilter } from "./store/list";
import { isAnswerable, type Operation } from "./store/operation";
import { findOperation } from "./store/store";

/** What the HTTP routes can do with operations. */
export interface Operations {
  /** Accepts a request; undefined where nothing is to be done. @throws the errors of `accept` in accept.ts. */
  readonly accept: <Request extends object>(
    asking: Asking<Request>,
  ) => Promise<Operation | undefined>;
  /** The operation with this id. @throws DatabaseDownError */
  readonly find: (id: string) => Promise<Operation | undefined>;
  /** A part of all operations, the newest first. @throws DatabaseDownError */
  readonly list: (
    filter: OperationFilter,
    part: { readonly limit: number; readonly after: Place | undefined },
  ) => Promise<Page<Operation>>;
  /**
   * Waits until the operation's caller can be answered with its end, at most as long as SETUP_WAIT says.
   *
   * @returns the operation as it is then.
   */
  readonly answerable: (operation: Operation) => Promise<Operation>;
  /** Yields each state of an operation, until it ends, the signal aborts, or the service goes down. */
  readonly follow: (id: string, signal: AbortSignal) => AsyncIterable<Operation>;
}

/** Operations as one instance of the service serves them. */
export interface ServedOperations extends Operations {
  /** The PostgreSQL channel on which changes of operations are notified; the payload is the id. */
  readonly channel: string;
  /** To be called for each notification; without an id when some may have been missed. */
  readonly notify: (id?: string) => void;
  /** Ends every wait, so that a service that goes down answers who still waits. */
  readonly close: () => void;
}

/** Serves the operations of a database. */
export function serveOperations(
  settings: AcceptSettings & {
    readonly database: Database;
    /** How long a caller waits for the end of an operation. */
    readonly waitMs: number;
  },
): ServedOperations {
  const { database, waitMs } = settings;
  const changes = new Changes(database.query);
  return {
    accept: (asking) => accept(database, asking, settings),
    find: (id) => findOperation(database.query, id),
    list: (filter, part) => listOperations(database.query, filter, part),
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
      // A timer, not a check at each state: a database that does not answer would give no next state.
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
