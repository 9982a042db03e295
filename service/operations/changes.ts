import { setTimeout as delay } from "node:timers/promises";
import type { Query } from "../database/database";
import { DatabaseDownError } from "../system/errors";
import { isSettled, type Operation } from "./store/operation";
import { changedSince, findOperation } from "./store/store";

/** The channel that the table's trigger notifies. */
export const CHANNEL = "tenant_operations";

/** After how long an operation that could not be read is read again. */
const PAUSE_MS = 500;

/** How often it is looked for changes of which no notification came. */
const BETWEEN_LOOKS_MS = 1_000;

/**
 * Who waits for changes of operations, in this process.
 *
 * Without `AbortSignal.any`: in Node 20 a signal that only it knows, such as that of a time limit, is
 * collected as garbage and never aborts, and it keeps something for each wait in a signal that lives
 * long. https://github.com/nodejs/node/issues/57736, https://github.com/nodejs/node/issues/54614
 */
export class Changes {
  /** The versions that those who wait have seen, by what wakes them, for each operation. */
  private readonly waiting = new Map<string, Map<() => void, number>>();
  private readonly reads = new Map<string, Promise<Operation | undefined>>();
  private looking: NodeJS.Timeout | undefined;
  private isLooking = false;
  private over = false;

  constructor(private readonly query: Query) {}

  /** Wakes who waits for the operation, or everybody where it is not known what changed. */
  readonly notify = (id?: string): void => {
    // What is being read may be from before the change.
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
   * Gives each state of an operation as it comes, beginning with the present one, and ends after the
   * one that is settled, or when the signal says so. A state may be passed over for its successor.
   */
  async *follow(id: string, signal: AbortSignal): AsyncGenerator<Operation> {
    let seen = 0;
    while (!this.over && !signal.aborted) {
      // Before the row is read, so that no change falls between.
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

  /** One read for all who ask before it is answered, and before the next change. */
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
   * Wakes those who wait for what has changed already: a notification is lost with the session that
   * listens. One look for all of them, for those few who wait as long as that.
   */
  private async look(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    const seen = [...this.waiting].map(([id, waits]) => [id, Math.min(...waits.values())] as const);
    // A database that is down is asked again.
    const changed = await changedSince(this.query, new Map(seen)).catch(() => []);
    for (const id of changed) this.notify(id);
    this.isLooking = false;
  }
}

interface Change {
  /** Resolves when the operation has changed, perhaps. */
  readonly changed: Promise<void>;
  /** Notes the version that was read meanwhile. */
  readonly saw: (version: number) => void;
  readonly forget: () => void;
}

/** Undefined while the database is down: who waits for an operation goes on waiting. */
async function readNow(query: Query, id: string): Promise<Operation | undefined> {
  try {
    return await findOperation(query, id);
  } catch (error) {
    if (error instanceof DatabaseDownError) return undefined;
    throw error;
  }
}
