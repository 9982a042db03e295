import type { RequestHandler } from "express";
import { z } from "zod";
import { parseInput } from "./body";

/**
 * Refuses a request whose address has parameters, where none has a meaning. Left unread, `DELETE …?dryRun=true` would
 * delete.
 */
export const withoutParameters: RequestHandler = (request, _response, next) => {
  parseInput(none, request.query);
  next();
};

const none = z.strictObject({});

/** A whole number from 1 in the query of an address. */
export const count = (most: number) =>
  z
    .string()
    .regex(/^[1-9]\d{0,8}$/, "must be a whole number from 1")
    .transform(Number)
    .refine((value) => value <= most, `must be at most ${most}`);

/** How many entries a page has at most. */
export const limit = count(100).default(20);

/**
 * Some of a closed set of values: separated by commas, or the parameter sent several times.
 *
 * @returns each value once, in the order of `values`.
 */
export function someOf<const Value extends string>(values: readonly Value[]) {
  const known = z.array(z.enum(values));
  return z.union([z.string(), z.array(z.string())]).transform((given, context) => {
    const some = known.safeParse([given].flat().flatMap((text) => text.split(","))).data;
    if (some !== undefined) return values.filter((value) => some.includes(value));
    context.addIssue({ code: "custom", message: `must be of ${values.join(", ")}` });
    return z.NEVER;
  });
}
