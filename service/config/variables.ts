import { availableParallelism } from "node:os";
import path from "node:path";
import { z } from "zod";
import { TenantError } from "../../provider/contract/errors";
import { readMigrations } from "../../provider/database/migrations";
import { parseDatabaseUrl } from "../../provider/database/settings";
import { backendUrl } from "./backend-url";
import { fastest } from "./engine-options";
import { productRoles } from "./product-roles";
import { jwtPublicKey, jwtSecret } from "../auth/token-settings";

const logLevels = ["fatal", "error", "warn", "info", "debug", "silent"] as const;

/** What `MIGRATE_ON_START` can be. */
export const migrationsOnStart = ["off", "canary", "all"] as const;

const integer = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,6}$/, "must be a whole number")
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be from ${least} to ${most}`);

const flag = z
  .enum(["true", "false"], "must be true or false")
  .transform((value) => value === "true");

/** A string that `read` accepts; the TenantError that it throws otherwise is the fault. */
const readable = (read: (value: string) => unknown) =>
  z.string().superRefine((value, context) => {
    try {
      read(value);
    } catch (error) {
      if (!(error instanceof TenantError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
    }
  });

/**
 * The environment variables that the service reads, each with the rule that checks it and its description,
 * from which docs/configuration.md is generated.
 */
export const variables = z.object({
  DATABASE_URL: readable((url) => parseDatabaseUrl(url, "DATABASE_URL"))
    .optional()
    .describe(
      "The database: `postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=…`, a direct connection, not PgBouncer. " +
        "Without `sslmode`: `disable` to this machine, `verify-full` to others. `sslrootcert`, `sslcert` and `sslkey` are absolute paths of PEM files. Default: an embedded PostgreSQL",
    ),
  DATA_DIR: z
    .string()
    .default(path.resolve(__dirname, "../../../.data"))
    .transform((directory) => path.resolve(directory))
    .describe(
      "What embedded mode keeps: database, state, and secrets made at random, mode 0600. Default: `.data/`",
    ),
  HOST: z
    .string()
    .default("127.0.0.1")
    .describe("Where it listens; without `DATABASE_URL` on loopback only"),
  PORT: integer(0, 65_535).default(3000).describe("Where it listens; 0 for any free port"),
  JWT_SECRET: jwtSecret
    .optional()
    .describe("What tokens are signed with, by HS256: 32 random bytes or more"),
  JWT_PUBLIC_KEY: jwtPublicKey
    .optional()
    .describe("Instead of `JWT_SECRET`: a PEM; RS256, ES256 or EdDSA by the key's type"),
  JWT_ISSUER: z.string().optional().describe("The issuer a token must name. Default: not checked"),
  JWT_AUDIENCE: z
    .string()
    .optional()
    .describe("The audience a token must name; needed with `JWT_PUBLIC_KEY`. Default: not checked"),
  PULUMI_BACKEND_URL: backendUrl
    .optional()
    .describe(
      "Where the state is kept: `file://`, `s3://`, `gs://`, `azblob://`, `postgres://`: what the CLI takes by itself, not Pulumi Cloud. Needed with `DATABASE_URL`",
    ),
  PULUMI_CONFIG_PASSPHRASE: z
    .string()
    .min(12, "must have at least 12 characters")
    .optional()
    .describe(
      "Encrypts the secrets in the state; 12 characters or more. Needed with `DATABASE_URL`",
    ),
  TENANT_MIGRATIONS_DIR: readable(readMigrations)
    .transform((directory) => path.resolve(directory))
    .optional()
    .describe(
      "The folder with the migrations that every tenant gets. Needed with `DATABASE_URL`; embedded mode has tables of its own to show",
    ),
  TENANT_ROLES: flag
    .default(false)
    .describe(
      "Whether each tenant's schema belongs to a role of its own, as which its migrations log in. The role of `DATABASE_URL` needs `CREATEROLE` for that, on PostgreSQL 16 or newer",
    ),
  SETUP_CONCURRENCY: integer(1, 64)
    .default(availableParallelism())
    .describe("Engine runs at once. Default: the cores"),
  SETUP_WAIT: integer(1, 3_600)
    .default(30)
    .describe("Seconds a caller waits for the end of an operation before the answer is 202"),
  SETUP_TIMEOUT: integer(10, 86_400)
    .default(600)
    .describe(
      "Seconds after which a run counts as hung: it is killed, and the operation has failed",
    ),
  SETUP_MEMORY: integer(128, 65_536)
    .default(512)
    .describe("MB of heap that the program of a run may have"),
  KEEP_PROVIDERS: flag
    .default(fastest.keptProviders)
    .describe(
      "Whether the providers run for as long as the service does; `false`: each engine starts its own",
    ),
  PRESTARTED_RUNS: integer(0, 64)
    .default(fastest.prestartedRuns)
    .describe("Engine runs begun ahead, each waiting for a tenant; 0 turns it off"),
  SPARE_STACKS: integer(0, 1_000)
    .default(fastest.spareStacks)
    .describe("Stacks made ahead, besides those of runs that were begun ahead"),
  SKIP_CHECKPOINTS: flag
    .default(fastest.skipCheckpoints)
    .describe("Whether the state is saved once for each run, instead of around each step"),
  QUEUE_LIMIT: integer(1, 100_000)
    .default(1_000)
    .describe("Operations that may wait or run, of all instances; one more is 503"),
  RATE_LIMIT: integer(1, 100_000)
    .default(60)
    .describe(
      "Operations that one `sub` may ask for in a minute, for each instance; the headers `RateLimit` and `RateLimit-Policy` count",
    ),
  EVENT_STREAMS: integer(1, 100_000)
    .default(1_000)
    .describe("Event streams that an instance has open at once; one more is 503"),
  EVENT_STREAMS_PER_SUB: integer(1, 100_000)
    .default(100)
    .describe("Of these, the streams of one `sub`; one more is 429"),
  OPERATIONS_RETENTION: integer(1, 36_500)
    .default(90)
    .describe("Days that an operation is kept after its end"),
  PRODUCT_ROLES: productRoles
    .optional()
    .describe(
      "The roles as which the product works, separated by commas: they can use a tenant's tables while it is active. Default: nobody is granted anything",
    ),
  RETENTION_DAYS: integer(0, 36_500)
    .default(30)
    .describe(
      "Days that a deleted tenant is kept, and can be restored, before it is purged by itself",
    ),
  PURGE: z
    .enum(["on", "off"], "must be on or off")
    .default("on")
    .transform((value) => value === "on")
    .describe(
      "Whether deleted tenants are purged by themselves; `off`: only who asks for it purges",
    ),
  DRIFT_CHECK: integer(0, 604_800)
    .default(3_600)
    .describe(
      "Seconds from one look at all tenants, whether they are as wanted, to the next; a minute at least. 0 turns it off",
    ),
  MIGRATE_ON_START: z
    .enum(migrationsOnStart, `must be one of ${migrationsOnStart.join(", ")}`)
    .optional()
    .describe(
      "Whether the service brings its tenants to new migrations when it starts, as a rollout that `npm run fleet -- watch` shows: `all`, `canary` (three first, alone) or `off`. Default: `off`; in embedded mode `all`",
    ),
  ROLLOUT_CONCURRENCY: integer(1, 8)
    .default(2)
    .describe("Tenants that an instance migrates at once in a rollout"),
  LOG_LEVEL: z
    .enum(logLevels, `must be one of ${logLevels.join(", ")}`)
    .default("info")
    .describe(`How much it logs: ${logLevels.map((level) => `\`${level}\``).join(", ")}`),
});

/** The environment cannot be used. Each line names a fault and says what to set. */
export class EnvironmentError extends Error {
  override readonly name = "EnvironmentError";

  constructor(readonly lines: readonly string[]) {
    super(lines.join("\n"));
  }
}

/**
 * Reads variables by their rules. A variable that is set to an empty string is a fault: taken for unset, an
 * empty DATABASE_URL would silently start the embedded mode, and an empty JWT_AUDIENCE would check nothing.
 *
 * @throws {@link EnvironmentError} with every fault; no line repeats a value.
 */
export function parseEnvironment<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  env: NodeJS.ProcessEnv,
): z.infer<z.ZodObject<Shape>> {
  const empty = Object.keys(schema.shape).filter((name) => env[name] === "");
  const parsed = schema.safeParse(env);
  const faults = empty.map((name) => `${name} is set but empty: give it a value, or unset it`);
  for (const {
    path: [name],
    message,
  } of parsed.error?.issues ?? []) {
    const variable = String(name);
    if (empty.includes(variable)) continue;
    faults.push(message.startsWith(variable) ? message : `${variable} ${message}`);
  }
  if (!parsed.success || faults.length > 0) throw new EnvironmentError(faults);
  return parsed.data;
}
