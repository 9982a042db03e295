import { Mutex } from "async-mutex";

/** Runs `work` when all earlier work for the same key has ended. */
export type Turns = <T>(key: string, work: () => Promise<T>) => Promise<T>;

/** Turns that are taken in the order they were asked for, each key apart from the others. */
export function createTurns(): Turns {
  const mutexes = new Map<string, Mutex>();
  return async (key, work) => {
    const mutex = mutexes.get(key) ?? new Mutex();
    mutexes.set(key, mutex);
    try {
      return await mutex.runExclusive(work);
    } finally {
      // With others still waiting it has passed to the next of them already.
      if (!mutex.isLocked()) mutexes.delete(key);
    }
  };
}
