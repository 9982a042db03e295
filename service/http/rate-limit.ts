import type { RequestHandler } from "express";
import { rateLimit } from "express-rate-limit";
import { HttpError } from "./errors";
import { SteadyStore } from "./steady-store";

const MINUTE_MS = 60_000;

/**
 * Lets each token's subject send at most `limit` requests a minute, and answers with the headers `RateLimit` and
 * `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-08). Each instance counts for itself.
 */
export function limitRate(limit: number): RequestHandler {
  return rateLimit({
    windowMs: MINUTE_MS,
    limit,
    store: new SteadyStore(MINUTE_MS),
    standardHeaders: "draft-8",
    legacyHeaders: false,
    // All tokens without a subject share one count.
    keyGenerator: ({ caller }) => caller?.subject ?? "",
    // The library has set Retry-After before it calls this.
    handler: () => {
      throw new HttpError(429, `More than ${limit} operations were asked for in a minute`);
    },
  });
}
