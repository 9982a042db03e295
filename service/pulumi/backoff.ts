/** The pause after the first failure; it doubles with each failure after it. */
const SHORTEST_MS = 1_000;

/** The longest pause. */
const LONGEST_MS = 60_000;

/** Decides when something that failed may be tried again: after longer and longer pauses, until it succeeds. */
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
