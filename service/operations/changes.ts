import { setTimeout as delay } from "node:timers/promises";
import type { Query } from "../database/database";
import { DatabaseDownError } from "../system/errors";
import { isSettled, type Operation } from "./store/operation";
import { changedSince, findOperation } from "./store/store";

/** The channel that the table's trigger notifies. */
export const CHANNEL = "tenant_operations";

/** How long after a failed read an operation is read again. */
const PAUSE_MS = 500;

/** How often operations that somebody waits for are checked for changes whose notification was lost. */
const BETWEEN_LOOKS_MS = 1_000;

/**
 * The requests of this process that wait for operations to change: it wakes them when one does.
 *
 * It does not use `AbortSignal.any`. In Node 20, a signal that nothing else refers to, such as one of
 * `AbortSignal.timeout`, is collected as garbage and then never aborts; and each call leaves something
 * behind in the signals that it combines, which is a leak where one of them lives long. https://github.com/nodejs/node/issues/57736, https://github.com/nodejs/node/issues/54614
 */
export class Changes {
  /** Operation's id → (the function that wakes a waiting request → the version it has seen). */
  private readonly waiting = new Map<string, Map<() => void, number>>();
  private readonly reads = new Map<string, Promise<Operation | undefined>>();
  private looking: NodeJS.Timeout | undefined;
  private isLooking = false;
  private over = false;

  constructor(private readonly query: Query) {}

  /** Wakes the requests that wait for the operation; all of them where it is not known which one changed. */
  readonly notify = (id?: string): void => {
    // A read that is under way may return the row from before the change, so nobody else may share it.
    if (id === undefined) this.reads.clear();
    else this.reads.delete(id);
    const all = id === undefined ? [...this.waiting.values()] : [this.waiting.get(id)];
    for (const waits of all) for (const wake of [...(waits?.keys() ?? [])]) wake();
  };

  /** Ends every wait, for good. */
  readonly close = (): void => {
    this.over = true;
    this.notify();
  };

  /**
   * Yields the present state of an operation, and then each state after a change. Ends after the state
   * in which it succeeded or failed, when the signal aborts, or at {@link close}. Where changes follow
   * each other quickly, a state may be left out and only the one after it yielded.
   */
  async *follow(id: string, signal: AbortSignal): AsyncGenerator<Operation> {
    let seen = 0;
    while (!this.over && !signal.aborted) {
      // Waiting begins before the row is read: a change between the two would go unnoticed otherwise.
      const change = this.next(id, seen, signal);
      try {
        const operation = await this.read(id);
        if (operation !== undefined && operation.version > seen) {
          seen = operation.version;
          change.saw(seen);
          yield operation;
          if (isSettled(operation)) return;
        }
        await (operation === undefined
          ? Promise.race([change.changed, delay(PAUSE_MS)])
          : change.changed);
      } finally {
        change.forget();
      }
    }
  }

  /** Shares one read among all who ask for the operation before its answer, or its next change, comes. */
  private read(id: string): Promise<Operation | undefined> {
    const known = this.reads.get(id);
    if (known !== undefined) return known;
    const read = readNow(this.query, id).finally(() => {
      if (this.reads.get(id) === read) this.reads.delete(id);
    });
    this.reads.set(id, read);
    return read;
  }

  private next(id: string, seen: number, signal: AbortSignal): Change {
    const waits = this.waiting.get(id) ?? new Map<() => void, number>();
    this.waiting.set(id, waits);
    this.looking ??= setInterval(() => void this.look(), BETWEEN_LOOKS_MS).unref();
    let wake: () => void = () => undefined;
    const changed = new Promise<void>((resolve) => (wake = resolve));
    waits.set(wake, seen);
    signal.addEventListener("abort", wake);
    if (this.over || signal.aborted) wake();
    const forget = () => {
      waits.delete(wake);
      if (waits.size === 0 && this.waiting.get(id) === waits) this.waiting.delete(id);
      if (this.waiting.size === 0) {
        clearInterval(this.looking);
        this.looking = undefined;
      }
      signal.removeEventListener("abort", wake);
    };
    return { changed, saw: (version) => waits.set(wake, version), forget };
  }

  /**
   * Wakes the requests whose operation has changed without a notification: those that the database sends
   * while the listening session is lost never come. One query serves all who wait.
   */
  private async look(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    const seen = [...this.waiting].map(([id, waits]) => [id, Math.min(...waits.values())] as const);
    // Where the database is down, the next look asks it again.
    const changed = await changedSince(this.query, new Map(seen)).catch(() => []);
    for (const id of changed) this.notify(id);
    this.isLooking = false;
  }
}

interface Change {
  /** Resolves when the operation may have changed; its row tells whether it has. */
  readonly changed: Promise<void>;
  /** Notes the version that was read meanwhile, so that {@link Changes} does not wake for it. */
  readonly saw: (version: number) => void;
  /** Ends the wait. */
  readonly forget: () => void;
}

/** Gives undefined while the database is down: a request that waits then goes on waiting. */
async function readNow(query: Query, id: string): Promise<Operation | undefined> {
  try {
    return await findOperation(query, id);
  } catch (error) {
    if (error instanceof DatabaseDownError) return undefined;
    throw error;
  }
}
