import { HttpError, UnavailableAnswer } from "./errors";

/** How many event streams an instance has open at once. */
export interface StreamLimits {
  /** Of one token's subject. Tokens without a subject count together. */
  readonly perSubject: number;
  /** Of all. */
  readonly total: number;
}

/** Counts the event streams of one instance: each keeps a connection and some 40 kB. */
export class StreamPlaces {
  private readonly taken = new Map<string, number>();
  private total = 0;

  constructor(private readonly limits: StreamLimits) {}

  /**
   * Takes a place for a stream.
   *
   * @returns what gives it back, to be called once.
   * @throws HttpError 429 when its subject has no more places; UnavailableAnswer when nobody has.
   */
  take(subject: string | null): () => void {
    const { perSubject, total } = this.limits;
    const key = subject ?? "";
    const own = this.taken.get(key) ?? 0;
    if (own >= perSubject) {
      throw new HttpError(429, `More than ${perSubject} event streams of one subject are open`, {
        headers: { "Retry-After": "5" },
      });
    }
    if (this.total >= total) throw new UnavailableAnswer("Too many event streams are open", 5);
    this.taken.set(key, own + 1);
    this.total += 1;
    return () => this.giveBack(key);
  }

  private giveBack(key: string): void {
    const left = (this.taken.get(key) ?? 1) - 1;
    if (left === 0) this.taken.delete(key);
    else this.taken.set(key, left);
    this.total -= 1;
  }
}
