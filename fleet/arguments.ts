import { parseArgs } from "node:util";
import { orders, usualOptions, type RolloutOptions } from "./rollout/rollout";

/** The command line cannot be understood. */
class UsageError extends Error {
  override readonly name = "UsageError";
}

const commands = [
  "status",
  "plan",
  "migrate",
  "resume",
  "watch",
  "pause",
  "cancel",
  "rollback",
] as const;

/** What can be asked for. */
export type Command = (typeof commands)[number];

/** What the command line says. */
export interface Arguments {
  readonly command: Command;
  /** A rollout's. */
  readonly id: string | undefined;
  readonly options: RolloutOptions;
  readonly concurrency: number;
  readonly migrations: string | undefined;
  /** The version that a rollback leaves the newest. */
  readonly to: string | undefined;
  /** Whether a rollback is to be done, and not only shown. */
  readonly yes: boolean;
  readonly json: boolean;
}

/** @throws {@link UsageError} in one line that says what is wrong. */
export function readArguments(args: string[]): "help" | Arguments {
  const { values, positionals } = parse(args);
  if (values.help) return "help";
  const [name, id, ...more] = positionals;
  const command = commands.find((known) => known === name);
  const takesId = !["status", "plan", "migrate", "rollback"].includes(command ?? "");
  if (command === undefined || more.length > 0 || (id !== undefined && !takesId)) {
    throw new UsageError(`name one of ${commands.join(", ")}: see --help`);
  }
  assertNamed(command, values);
  const { migrations, to, yes, json } = values;
  return {
    ...{ command, id, migrations, to, yes, json },
    concurrency: wholeNumber("concurrency", values.concurrency, 1, 8),
    options: { ...usualOptions, ...optionsIn(values) },
  };
}

type Values = ReturnType<typeof parse>["values"];

/** What a rollback undoes is named in full, and nothing that is meant for it is passed over in silence. */
function assertNamed(command: Command, { to, only, yes }: Values): void {
  if (command !== "rollback" && (to !== undefined || yes)) {
    throw new UsageError("--to and --yes are for rollback: see --help");
  }
  if (command === "rollback" && (to === undefined || only === undefined)) {
    throw new UsageError("rollback takes --to VERSION and --only SLUG,…: see --help");
  }
}

/** What is asked for otherwise than usual. */
function optionsIn(values: Values): Partial<RolloutOptions> {
  const { canary, order, "lock-retries": lockRetries } = values;
  const { "lock-timeout": lockTimeout, "statement-timeout": statementTimeout } = values;
  return {
    ...(values.owner !== undefined && { owner: values.owner }),
    ...(values.only !== undefined && { only: slugsIn(values.only) }),
    ...(order !== undefined && { order: oneOf("order", order, orders) }),
    ...(canary !== undefined && { canary: wholeNumber("canary", canary, 0) }),
    maxFailures: maxFailures(values),
    ...(lockTimeout !== undefined && { lockTimeoutMs: durationMs("lock-timeout", lockTimeout) }),
    ...(statementTimeout !== undefined && {
      statementTimeoutMs: durationMs("statement-timeout", statementTimeout),
    }),
    ...(lockRetries !== undefined && { lockRetries: wholeNumber("lock-retries", lockRetries, 0) }),
  };
}

/** An empty list would be all tenants, such as where a script's variable is empty. */
function slugsIn(only: string): string[] {
  const slugs = only.split(",").filter((slug) => slug !== "");
  if (slugs.length === 0) throw new UsageError("--only names no slug: see --help");
  return slugs;
}

function maxFailures(values: Values): number | null {
  const most = values["max-failures"];
  if (oneOf("on-error", values["on-error"], ["continue", "stop"]) === "stop") return 1;
  return most === undefined ? null : wholeNumber("max-failures", most, 1);
}

function oneOf<T extends string>(option: string, value: string, known: readonly T[]): T {
  const found = known.find((word) => word === value);
  if (found === undefined)
    throw new UsageError(`--${option} takes ${known.join(", ")}: see --help`);
  return found;
}

function wholeNumber(option: string, text: string, least: number, most = 1_000_000): number {
  const value = Number(text);
  if (/^\d{1,7}$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`--${option} takes a whole number from ${least} to ${most}: see --help`);
}

const unitsMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function durationMs(option: string, text: string): number {
  const [, digits, unit = ""] = /^(\d{1,6})(ms|s|m|h)$/.exec(text) ?? [];
  const value = Number(digits) * (unitsMs[unit] ?? NaN);
  // The greatest that PostgreSQL takes.
  if (value > 0 && value < 2 ** 31) return value;
  throw new UsageError(`--${option} takes a number and ms, s, m or h, such as 2s: see --help`);
}

function parse(args: string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        owner: text,
        only: text,
        canary: text,
        order: text,
        "on-error": { ...text, default: "continue" },
        "max-failures": text,
        "lock-timeout": text,
        "statement-timeout": text,
        "lock-retries": text,
        concurrency: { ...text, default: "8" },
        migrations: text,
        to: text,
        yes: flag,
        json: flag,
        help: flag,
      },
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${reason}: see --help`, { cause: error });
  }
}
