import { parseArgs } from "node:util";
import { orders, usualOptions, type RolloutOptions } from "./rollout/rollout";

/** What `npm run fleet` says of itself. */
export const help = `Migrates many tenants, by the very code that migrates one.

  npm run fleet -- status        how many tenants have which migrations, and which lack some
  npm run fleet -- plan          which files migrate would apply to how many tenants, with their statements
  npm run fleet -- migrate       brings every tenant to all files, as a rollout
  npm run fleet -- resume [ID]   goes on with a rollout, also beside others who run it (default: the newest)
  npm run fleet -- watch [ID]    shows how far a rollout is
  npm run fleet -- pause [ID]    lets it end what is at work, and take no other tenant
  npm run fleet -- cancel ID     the same for good

Which tenants, for status, plan and migrate:
  --owner OWNER            service (default), all, or the stack that declares them: organization/project/stack
  --only SLUG,…            these alone

How a rollout is done, for migrate:
  --canary N               so many first, alone, and the rest when all of them are well (default: 0)
  --order ORDER            ${orders.join(", ")}: the first are the canaries (default: oldest)
  --on-error WHAT          continue (default), or stop at the first tenant that fails
  --max-failures N         stop when so many have failed
  --lock-timeout TIME      how long a statement waits for each lock (default: 2s)
  --statement-timeout TIME how long it takes (default: 1h)
  --lock-retries N         how often a migration is tried again that did not get a lock (default: 20)

  --concurrency N          tenants at once, at most 8 (default: 8); also for resume
  --migrations DIR         the folder with the migrations (default: TENANT_MIGRATIONS_DIR)
  --json                   JSON instead of text: for a rollout, a line for each thing that happens
  --help                   prints this

It reads DATABASE_URL, or uses the embedded database while npm start runs. It exits with 0 when all is well, with 1
when something was refused or has failed, and with 2 when a rollout was paused or cancelled, or has not ended. Ctrl-C
ends what is at work and leaves the rest for resume.`;

/** The command line cannot be understood. */
class UsageError extends Error {
  override readonly name = "UsageError";
}

const commands = ["status", "plan", "migrate", "resume", "watch", "pause", "cancel"] as const;

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
  readonly json: boolean;
}

/** @throws {@link UsageError} in one line that says what is wrong. */
export function readArguments(args: string[]): "help" | Arguments {
  const { values, positionals } = parse(args);
  if (values.help) return "help";
  const [name, id, ...more] = positionals;
  const command = commands.find((known) => known === name);
  const takesId = !["status", "plan", "migrate"].includes(command ?? "");
  if (command === undefined || more.length > 0 || (id !== undefined && !takesId)) {
    throw new UsageError(`name one of ${commands.join(", ")}: see --help`);
  }
  return {
    ...{ command, id, migrations: values.migrations, json: values.json },
    concurrency: wholeNumber("concurrency", values.concurrency, 1, 8),
    options: { ...usualOptions, ...optionsIn(values) },
  };
}

type Values = ReturnType<typeof parse>["values"];

/** What is asked for otherwise than usual. */
function optionsIn(values: Values): Partial<RolloutOptions> {
  const { canary, order, "lock-retries": lockRetries } = values;
  const { "lock-timeout": lockTimeout, "statement-timeout": statementTimeout } = values;
  return {
    ...(values.owner !== undefined && { owner: values.owner }),
    ...(values.only !== undefined && {
      only: values.only.split(",").filter((slug) => slug !== ""),
    }),
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
        json: flag,
        help: flag,
      },
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${reason}: see --help`, { cause: error });
  }
}
