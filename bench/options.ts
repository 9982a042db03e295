import { parseArgs } from "node:util";

/** How the bench is asked to run. */
export interface Options {
  /** Fewer samples, and without the groups that take long. */
  readonly quick: boolean;
  /** One JSON object on standard output in place of the table. */
  readonly json: boolean;
  /** Whether the table and the picture are written into bench/. */
  readonly write: boolean;
  /** The groups of rows to measure; all of them when there are none. */
  readonly only: readonly string[];
  readonly help: boolean;
}

/** The words after `npm run bench --` are none that it knows. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
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

Measures what a set-up costs, each row against another way to do the same in the same
run, on a PostgreSQL and services of its own. Nothing of yours is touched.
The table comes on standard output, progress on standard error.

  --quick      under 3 minutes instead of 10: fewer samples, without the rows for
               3,000 tenants, memory and 20 migrations
  --json       one JSON object on standard output: machine, rows, and in "missed" the
               names of the rows that missed their targets
               (npm run --silent bench -- --json keeps npm's own lines away)
  --only NAME  measures this group of rows, may be repeated:
               ${groups.join(", ")}
  --write      writes the figures of this full run into bench/README.md and the picture
               of the phases into bench/phases.svg
  --help       prints this

The service is started with its defaults; what the environment sets of its options,
such as PARKED_RUNS=0, is passed on and printed. A busy machine makes all figures worse than they
are, and not all alike.
Exit code 0: measured, whatever was missed. 1: a row could not be measured.
`;
}
