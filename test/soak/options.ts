import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { z } from "zod";
import { troubles, type TroubleName } from "./trouble-plan";

/** What the soak is asked to do. */
export interface Options {
  /** How long there is load. Starting, settling and looking come on top. */
  readonly minutes: number;
  readonly seed: number;
  /** The kinds of trouble that are made; never none. */
  readonly troubles: readonly TroubleName[];
}

export const help = `Makes trouble for the service for a while, then looks whether anything was lost.

  npm run soak -- --minutes 5

  --minutes  how long there is load, from 0.2 to 120; a fraction is fine (default: 5)
  --seed     a whole number: the same one plans the same again (default: random, and printed)
  --only     makes only these troubles; may be given several times (default: all of them)
  --without  leaves these out; may be given several times
  --help     prints this

The troubles. A part of a name stands for each that has it, such as --only pause --without CLI:

${troubles.map((name) => `  ${name}`).join("\n")}

With an even seed each tenant's schema belongs to a role of its own. With an odd one it does not, and
tenants are made from archives too, which takes a schema without.

Everything is on this machine, in a temporary folder, and is removed at the end. Ctrl-C ends it early,
with what there is to tell; a second Ctrl-C at once. Exit code: 0, 1 when a check failed, 2 for options
that are not as above.`;

/** Whether each tenant's schema belongs to a role of its own; where it does not, tenants are imported too. */
export function hasTenantRoles({ seed }: Pick<Options, "seed">): boolean {
  return seed % 2 === 0;
}

/** The options cannot be used. */
export class OptionsError extends Error {
  override readonly name = "OptionsError";
}

const nameParts = z.array(
  z.string().refine((part) => namesWith([part]).length > 0, {
    error: ({ input }) => `no trouble is called "${String(input)}"`,
  }),
);

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
  only: nameParts.optional(),
  without: nameParts.default([]),
});

/** @throws {@link OptionsError} in one line. */
export function readOptions(argv: readonly string[]): Options | "help" {
  const { help: isAsked, ...given } = parse(argv);
  if (isAsked === true) return "help";
  const read = values.safeParse(given);
  if (!read.success) {
    throw new OptionsError(read.error.issues.map(({ message }) => message).join("; "));
  }
  const { minutes, seed, only, without } = read.data;
  const left = new Set(namesWith(without));
  const chosen = (only === undefined ? troubles : namesWith(only)).filter(
    (name) => !left.has(name),
  );
  if (chosen.length === 0) throw new OptionsError("--without leaves no trouble to make");
  return { minutes, seed, troubles: chosen };
}

/** The command that plans the same again. */
export function commandOf({ minutes, seed, troubles: chosen }: Options): string {
  const only = chosen.length === troubles.length ? [] : chosen.map((name) => ` --only "${name}"`);
  return `npm run soak -- --minutes ${minutes} --seed ${seed}${only.join("")}`;
}

/** The troubles, in their order, that have one of the parts in their names. */
function namesWith(parts: readonly string[]): TroubleName[] {
  return troubles.filter((name) => parts.some((part) => part !== "" && name.includes(part)));
}

function parse(argv: readonly string[]) {
  try {
    const text = { type: "string" } as const;
    const list = { type: "string", multiple: true } as const;
    const lists = { only: list, without: list } as const;
    const options = { minutes: text, seed: text, ...lists, help: { type: "boolean" } } as const;
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    throw new OptionsError(error instanceof Error ? error.message : String(error));
  }
}
