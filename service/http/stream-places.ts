import type { Request, Response } from "express";
import { HttpError, UnavailableAnswer } from "./errors";
import { sendEvents, type StateEvent } from "./server-sent-events";

/** How many event streams an instance has open at once. */
export interface StreamLimits {
  /** Streams of one token's subject. All tokens without a subject share one count. */
  readonly perSubject: number;
  /** Streams of all subjects together. */
  readonly total: number;
}

/** Limits the event streams of one instance: each keeps a connection open and about 40 kB of memory. */
export class StreamPlaces {
  private readonly taken = new Map<string, number>();
  private total = 0;

  constructor(private readonly limits: StreamLimits) {}

  /**
   * Counts a stream that is opened.
   *
   * @returns a function to be called once when the stream has ended.
   * @throws {@link HttpError} 429 when the subject has as many as it may have.
   * @throws {@link UnavailableAnswer} when the instance has as many as it may have.
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

/** Streams the states of something, as {@link sendEvents} does, while it holds a place of the token's subject. */
export async function sendEventsInPlace(
  places: StreamPlaces,
  request: Request,
  response: Response,
  follow: (signal: AbortSignal) => AsyncIterable<StateEvent>,
): Promise<void> {
  const giveBack = places.take(request.caller?.subject ?? null);
  try {
    await sendEvents(request, response, follow);
  } finally {
    giveBack();
  }
}
