import { parseArgs } from "node:util";

/** The command line options of the bench. */
export interface Options {
  /** Takes fewer samples, and leaves out the groups that take long. */
  readonly quick: boolean;
  /** Prints one JSON object on standard output in place of the table. */
  readonly json: boolean;
  /** Whether the table and the picture are written into bench/. */
  readonly write: boolean;
  /** The groups of rows to measure; all of them when there are none. */
  readonly only: readonly string[];
  readonly help: boolean;
}

/** The command line is not valid. The message is one line for the user. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * Reads the command line.
 *
 * @param groups The names that `--only` takes.
 * @throws {@link UsageError} in one line.
 */
export function readOptions(args: readonly string[], groups: readonly string[]): Options {
  const { quick = false, json = false, write = false, only = [], help = false } = parse(args);
  const unknown = only.filter((name) => !groups.includes(name));
  if (unknown.length > 0) {
    throw new UsageError(`--only ${unknown.join(", ")} is none of ${groups.join(", ")}`);
  }
  if (write && (quick || only.length > 0)) {
    throw new UsageError("--write keeps the figures of a full run: leave --quick and --only out");
  }
  return { quick, json, write, only, help };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        quick: { type: "boolean" },
        json: { type: "boolean" },
        write: { type: "boolean" },
        only: { type: "string", multiple: true },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}; see --help`);
  }
}

/** What `--help` prints. */
export function help(groups: readonly string[]): string {
  return `npm run bench -- [options]

Measures what a set-up costs. Each row compares two ways to do the same, in the same
run, on a PostgreSQL and services of its own. Nothing of yours is touched.
The report is written to standard output, progress to standard error.

  --quick      under 3 minutes instead of 20: fewer samples, without the rows for
               3,000 tenants, drift, the fleet, memory and 20 migrations
  --json       one JSON object on standard output: machine, rows, and in "missed" the
               names of the rows that missed their targets
               (npm run --silent bench -- --json keeps npm's own lines away)
  --only NAME  measures this group of rows only, may be repeated:
               ${groups.join(", ")}
  --write      writes the figures of this full run into bench/README.md and the picture
               of the phases into bench/phases.svg
  --help       prints this

The service is started with its defaults. Variables of the service that are set in the
environment, such as SPARE_STACKS=0, are passed on and printed. On a busy machine all
figures are worse, some more than others.
Exit code 0: measured, whatever was missed. 1: a row could not be measured.
`;
}
