import { parseArgs } from "node:util";
import { z } from "zod";

/** What the mutation run is asked to do. */
export interface Options {
  /** How many mutants are tried. */
  readonly sample: number;
  readonly seed: number;
  /** The beginnings of the paths whose files are mutated; one may end with `:LINE`. */
  readonly folders: readonly string[];
  /** Only unit tests run, and only mutants that they cover are in the sample. */
  readonly unit: boolean;
  /** End-to-end tests run too, after the others. */
  readonly e2e: boolean;
  /** After so long no other mutant is begun; undefined where all are tried. */
  readonly seconds: number | undefined;
  /** How many test files a mutant must survive, at most. */
  readonly tests: number;
  /** The exit code is 1 below this score; undefined where any will do. */
  readonly threshold: number | undefined;
}

/** What is mutated unless `--folder` says otherwise. */
export const mutatedFolders = [
  "provider/",
  "service/auth/",
  "service/operations/",
  "service/pulumi/",
];

export const help = `Puts one small fault at a time into a copy of the built program, and looks whether a test fails.

  npm run mutation -- --sample 200

  --sample     how many mutants, chosen by the seed (default: 200)
  --seed       a whole number: the same one chooses the same mutants of unchanged lines (default: 1)
  --folder     mutates files whose paths begin so, or one line: --folder provider/tenant.ts:40;
               may be given several times (default: ${mutatedFolders.join(", ")})
  --unit       runs unit tests only, on mutants that they cover: none of SQL
  --e2e        runs end-to-end tests too, on what the others let live
  --seconds    begins no other mutant after so long; the score is of those that were tried
  --tests      how many test files a mutant has to survive, those most likely first (default: 12)
  --threshold  exit code 1 below this score in percent (85 where none is named: --threshold=)
  --help       prints this

A mutant is killed by a test that fails or takes far too long. One that the compiler refuses counts neither
way. The first run measures which test reaches which line (some minutes) and keeps that in .engine/. Progress
goes to standard error, the report to standard output. Nothing of this folder is changed.
Exit code: 0, 1 below the threshold, 2 for options that are not as above.`;

/** The options cannot be used. */
export class OptionsError extends Error {
  override readonly name = "OptionsError";
}

const wholeNumber = (name: string, least: number) =>
  z.coerce.number(`${name} takes a number`).int().min(least, `${name} must be at least ${least}`);

const folder = z.string().refine((name) => isMutated(name), {
  error: ({ input }) => `--folder ${String(input)} is not among what is mutated`,
});

const values = z.object({
  sample: wholeNumber("--sample", 1).default(200),
  seed: wholeNumber("--seed", 0).default(1),
  folder: z.array(folder).default(mutatedFolders),
  unit: z.boolean().default(false),
  e2e: z.boolean().default(false),
  seconds: wholeNumber("--seconds", 1).optional(),
  tests: wholeNumber("--tests", 1).default(12),
  threshold: z
    .string()
    .transform((text) => (text === "" ? 85 : Number(text)))
    .pipe(z.number("--threshold takes a number").min(0).max(100, "--threshold is a percentage"))
    .optional(),
});

/** @throws {@link OptionsError} in one line. */
export function readOptions(argv: readonly string[]): Options | "help" {
  const { help: isAsked, ...given } = parse(argv);
  if (isAsked === true) return "help";
  const read = values.safeParse(given);
  if (!read.success) {
    throw new OptionsError(read.error.issues.map(({ message }) => message).join("; "));
  }
  const { folder: folders, seconds, threshold, ...rest } = read.data;
  return { ...rest, folders, seconds, threshold };
}

function isMutated(name: string): boolean {
  return name !== "" && mutatedFolders.some((one) => one.startsWith(name) || name.startsWith(one));
}

function parse(argv: readonly string[]) {
  try {
    const text = { type: "string" } as const;
    const flag = { type: "boolean" } as const;
    const numbers = { sample: text, seed: text, seconds: text, tests: text, threshold: text };
    const options = {
      ...numbers,
      folder: { type: "string", multiple: true },
      unit: flag,
      e2e: flag,
      help: flag,
    } as const;
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    throw new OptionsError(error instanceof Error ? error.message : String(error));
  }
}
