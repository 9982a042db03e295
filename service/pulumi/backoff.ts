/** How long the first failure is left alone, in ms; each one after it twice as long. */
const SHORTEST_MS = 1_000;

/** The longest that one is left alone, in ms. */
const LONGEST_MS = 60_000;

/** When something that failed is tried again: later and later, until it succeeds. */
export class Backoff {
  private failures = 0;
  private dueAt = -Infinity;

  /** Whether it may be tried now. */
  get isDue(): boolean {
    return performance.now() >= this.dueAt;
  }

  /** Notes a failure. @returns whether it is the first in a row. */
  failed(): boolean {
    this.dueAt = performance.now() + Math.min(SHORTEST_MS * 2 ** this.failures, LONGEST_MS);
    this.failures += 1;
    return this.failures === 1;
  }

  /** Notes a success. @returns whether there were failures before it. */
  succeeded(): boolean {
    const recovered = this.failures > 0;
    this.failures = 0;
    this.dueAt = -Infinity;
    return recovered;
  }
}
