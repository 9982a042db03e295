import type { ClientRateLimitInfo, Store } from "express-rate-limit";

/**
 * Counts requests by the monotonic clock. The store that comes with express-rate-limit uses the wall clock:
 * if that were set back by an hour, a caller at the limit would be refused for an hour.
 */
export class SteadyStore implements Store {
  /** Each instance counts for itself. */
  readonly localKeys = true;
  /** Caller → its window. In the order in which they were opened, which is the order in which they end. */
  private readonly windows = new Map<string, { hits: number; readonly ends: number }>();

  /** @param windowMs How long a caller is counted before the count begins again. */
  constructor(private readonly windowMs: number) {}

  increment(key: string): ClientRateLimitInfo {
    const now = performance.now();
    this.forgetBefore(now);
    const window = this.windows.get(key) ?? { hits: 0, ends: now + this.windowMs };
    window.hits += 1;
    this.windows.set(key, window);
    return { totalHits: window.hits, resetTime: new Date(Date.now() + window.ends - now) };
  }

  decrement(key: string): void {
    const window = this.windows.get(key);
    if (window !== undefined) window.hits -= 1;
  }

  resetKey(key: string): void {
    this.windows.delete(key);
  }

  private forgetBefore(now: number): void {
    for (const [key, { ends }] of this.windows) {
      if (ends > now) return;
      this.windows.delete(key);
    }
  }
}
