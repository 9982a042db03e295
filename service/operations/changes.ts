import { setTimeout as delay } from "node:timers/promises";
import { DatabaseDownError } from "../errors";
import { isSettled, type Operation } from "./operation";
import { findOperation } from "./rows";

/** The channel that the table's trigger notifies. */
export const CHANNEL = "tenant_operations";

/** After how many ms an operation that could not be read is read again. */
const PAUSE = 500;

/** Who waits for changes of operations, in this process. */
export class Changes {
  private readonly waiting = new Map<string, Set<() => void>>();

  /** Wakes who waits for the operation, or everybody where it is not known what changed. */
  readonly tell = (id?: string): void => {
    const sets = id === undefined ? [...this.waiting.values()] : [this.waiting.get(id) ?? []];
    for (const set of sets) for (const wake of [...set]) wake();
  };

  /**
   * Gives each state of an operation as it comes, beginning with the present one, and ends after the
   * one that is settled, or when the signal says so. A state may be passed over for its successor.
   */
  async *follow(id: string, signal: AbortSignal): AsyncGenerator<Operation> {
    const left = new AbortController();
    const ended = AbortSignal.any([signal, left.signal]);
    let seen = 0;
    try {
      while (!ended.aborted) {
        // Before the row is read, so that no change falls between.
        const change = this.next(id, ended);
        const operation = await readNow(id);
        if (operation !== undefined && operation.version > seen) {
          seen = operation.version;
          yield operation;
          if (isSettled(operation)) return;
        }
        await (operation === undefined ? Promise.race([change, delay(PAUSE)]) : change);
      }
    } finally {
      left.abort();
    }
  }

  private next(id: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const set = this.waiting.get(id) ?? new Set();
      this.waiting.set(id, set);
      const wake = () => {
        set.delete(wake);
        if (set.size === 0 && this.waiting.get(id) === set) this.waiting.delete(id);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      set.add(wake);
      signal.addEventListener("abort", wake);
      if (signal.aborted) wake();
    });
  }
}

/** Undefined while the database is down: who waits for an operation goes on waiting. */
async function readNow(id: string): Promise<Operation | undefined> {
  try {
    return await findOperation(id);
  } catch (error) {
    if (error instanceof DatabaseDownError) return undefined;
    throw error;
  }
}
