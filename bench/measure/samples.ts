import { setTimeout as delay } from "node:timers/promises";

/** A summary of samples, in their own unit. */
export interface Summary {
  readonly count: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/**
 * Summarises samples.
 *
 * @throws Error when there is none.
 */
export function summarise(samples: readonly number[]): Summary {
  return {
    count: samples.length,
    median: percentile(samples, 0.5),
    min: percentile(samples, 0),
    max: percentile(samples, 1),
  };
}

/**
 * The value below which the given part (0 to 1) of the samples lies. Between two samples it is
 * interpolated.
 *
 * @throws Error when there is no sample.
 */
export function percentile(samples: readonly number[], part: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const place = (sorted.length - 1) * part;
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  if (below === undefined || above === undefined) throw new Error("there are no samples");
  return below + (above - below) * (place % 1);
}

/** How long the work takes, in ms. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Does the work `count` times, one after the other. */
export async function inARow<T>(count: number, work: () => Promise<T>): Promise<T[]> {
  return together(count, 1, work);
}

/** Does the work `count` times, `width` at once: as one ends, the next begins. */
export async function together<T>(
  count: number,
  width: number,
  work: () => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  let left = count;
  const lane = async () => {
    while (left-- > 0) results.push(await work());
  };
  await Promise.all(Array.from({ length: width }, lane));
  return results;
}

/** Begins the work once a second, `count` times, even when earlier work has not ended yet. */
export async function onceASecond<T>(count: number, work: () => Promise<T>): Promise<T[]> {
  const began = performance.now();
  const running: Promise<T>[] = [];
  for (let turn = 0; turn < count; turn++) {
    await delay(Math.max(0, began + turn * 1_000 - performance.now()));
    const started = work();
    // A failure is thrown by the Promise.all below. Until then Node must not take it for unhandled.
    started.catch(() => undefined);
    running.push(started);
  }
  return Promise.all(running);
}
