import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { z } from "zod";

/** What the soak is asked to do. */
export interface Options {
  /** How long there is load. Starting, settling and looking come on top. */
  readonly minutes: number;
  readonly seed: number;
}

export const help = `Makes trouble for the service for a while, then looks whether anything was lost.

  npm run soak -- --minutes 5

  --minutes  how long there is load, from 0.2 to 120; a fraction is fine (default: 5)
  --seed     a whole number: the same one plans the same again (default: random, and printed)
  --help     prints this

Everything is on this machine, in a temporary folder, and is removed at the end. Ctrl-C ends it early,
with what there is to tell; a second Ctrl-C at once. Exit code: 0, 1 when a check failed, 2 for options
that are not as above.`;

/** The options cannot be used. */
export class OptionsError extends Error {
  override readonly name = "OptionsError";
}

const values = z.object({
  minutes: z.coerce
    .number("--minutes takes a number")
    .min(0.2, "--minutes must be at least 0.2")
    .max(120, "--minutes must be at most 120")
    .default(5),
  seed: z
    .string()
    .regex(/^\d{1,10}$/, "--seed takes a whole number")
    .transform(Number)
    .refine((seed) => seed < 2 ** 32, "--seed must be below 4294967296")
    .default(() => randomInt(2 ** 32)),
});

/** @throws {@link OptionsError} in one line. */
export function readOptions(argv: readonly string[]): Options | "help" {
  const { help: isAsked, ...given } = parse(argv);
  if (isAsked === true) return "help";
  const read = values.safeParse(given);
  if (read.success) return read.data;
  throw new OptionsError(read.error.issues.map(({ message }) => message).join("; "));
}

function parse(argv: readonly string[]) {
  try {
    const text = { type: "string" } as const;
    const options = { minutes: text, seed: text, help: { type: "boolean" } } as const;
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    throw new OptionsError(error instanceof Error ? error.message : String(error));
  }
}
