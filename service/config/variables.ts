import { availableParallelism } from "node:os";
import path from "node:path";
import { z } from "zod";
import { TenantError } from "../../provider/contract/errors";
import { readMigrations } from "../../provider/database/migrations";
import { parseDatabaseUrl } from "../../provider/database/settings";
import { backendUrl } from "./backend-url";
import { fastest } from "../pulumi/engine-options";
import { jwtPublicKey, jwtSecret } from "../auth/token-settings";

const logLevels = ["fatal", "error", "warn", "info", "debug", "silent"] as const;

const integer = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,6}$/, "must be a whole number")
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be from ${least} to ${most}`);

const flag = z
  .enum(["true", "false"], "must be true or false")
  .transform((value) => value === "true");

/** A value that `read` takes without a word. */
const readable = (read: (value: string) => unknown) =>
  z.string().superRefine((value, context) => {
    try {
      read(value);
    } catch (error) {
      if (!(error instanceof TenantError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
    }
  });

/** The variables that the service reads, each by its own rule; what they mean is in the README. */
export const environment = z.object({
  DATABASE_URL: readable((url) => parseDatabaseUrl(url, "DATABASE_URL")).optional(),
  DATA_DIR: z
    .string()
    .default(path.resolve(__dirname, "../../../.data"))
    .transform((directory) => path.resolve(directory)),
  HOST: z.string().default("127.0.0.1"),
  PORT: integer(0, 65_535).default(3000),
  JWT_SECRET: jwtSecret.optional(),
  JWT_PUBLIC_KEY: jwtPublicKey.optional(),
  JWT_ISSUER: z.string().optional(),
  JWT_AUDIENCE: z.string().optional(),
  PULUMI_BACKEND_URL: backendUrl.optional(),
  PULUMI_CONFIG_PASSPHRASE: z.string().min(12, "must have at least 12 characters").optional(),
  TENANT_MIGRATIONS_DIR: readable(readMigrations)
    .transform((directory) => path.resolve(directory))
    .optional(),
  SETUP_CONCURRENCY: integer(1, 64).default(availableParallelism()),
  SETUP_WAIT: integer(1, 3_600).default(30),
  SETUP_TIMEOUT: integer(10, 86_400).default(600),
  SETUP_MEMORY: integer(128, 65_536).default(512),
  KEEP_PROVIDERS: flag.default(fastest.keptProviders),
  PARKED_RUNS: integer(0, 64).default(fastest.parkedRuns),
  SPARE_STACKS: integer(0, 1_000).default(fastest.spareStacks),
  SKIP_CHECKPOINTS: flag.default(fastest.skipCheckpoints),
  QUEUE_LIMIT: integer(1, 100_000).default(1_000),
  RATE_LIMIT: integer(1, 100_000).default(60),
  EVENT_STREAMS: integer(1, 100_000).default(1_000),
  EVENT_STREAMS_PER_SUB: integer(1, 100_000).default(100),
  LOG_LEVEL: z.enum(logLevels, `must be one of ${logLevels.join(", ")}`).default("info"),
});

/** The environment cannot be used: a line for each fault, saying what to set. */
export class EnvironmentError extends Error {
  override readonly name = "EnvironmentError";

  constructor(readonly lines: readonly string[]) {
    super(lines.join("\n"));
  }
}

/**
 * Reads variables by their rules. A variable that is set to nothing is a fault: an empty
 * DATABASE_URL or JWT_AUDIENCE would silently mean something else than its author thinks.
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
