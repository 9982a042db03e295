import type { RequestHandler } from "express";
import { rateLimit } from "express-rate-limit";
import { HttpError } from "./errors";
import { SteadyStore } from "./steady-store";

/** In ms. */
const MINUTE_MS = 60_000;

/**
 * Lets each token's subject send so many requests a minute, with the headers `RateLimit` and
 * `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-08). Each instance counts for itself.
 */
export function limitRate(limit: number): RequestHandler {
  return rateLimit({
    windowMs: MINUTE_MS,
    limit,
    store: new SteadyStore(MINUTE_MS),
    standardHeaders: "draft-8",
    legacyHeaders: false,
    // Tokens without a subject count together.
    keyGenerator: ({ caller }) => caller?.subject ?? "",
    // It has set Retry-After by then.
    handler: () => {
      throw new HttpError(429, `More than ${limit} operations were asked for in a minute`);
    },
  });
}
