import path from "node:path";
import type { z } from "zod";
import { developmentSecrets } from "./development-secrets";
import { EnvironmentError, parseEnvironment, variables } from "./variables";
import type { StreamLimits } from "../http/stream-places";
import type { Ways } from "../pulumi/engine-options";
import { secretVerification, type TokenSettings } from "../auth/token-settings";

/** What the environment says, complete and usable. */
export interface Config {
  /** Undefined in embedded mode, where the service brings its own PostgreSQL. */
  readonly databaseUrl: string | undefined;
  /** What embedded mode keeps: database, state and secrets. */
  readonly dataDir: string;
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly tokens: TokenSettings;
  /** What development tokens are signed with; undefined where the service may sign none. */
  readonly developmentSecret: string | undefined;
  readonly backendUrl: string;
  readonly passphrase: string;
  /** Undefined for the package's own tenant migrations. */
  readonly migrationsDir: string | undefined;
  /** How many engine runs there may be at once. */
  readonly concurrency: number;
  /** How long a caller waits for the end of a set-up, in ms. */
  readonly wait: number;
  /** After how many ms a run counts as hung. */
  readonly timeout: number;
  /** What a run's program may have at most, in MB. */
  readonly memory: number;
  readonly ways: Ways;
  /** How many set-ups may wait or run. */
  readonly queueLimit: number;
  /** How many set-ups a token's subject may ask for in a minute. */
  readonly rateLimit: number;
  readonly streams: StreamLimits;
  readonly logLevel: string;
}

type Environment = z.infer<typeof variables>;

const required = {
  PULUMI_BACKEND_URL: "set it to where Pulumi keeps state, such as s3://BUCKET or file:///FOLDER",
  PULUMI_CONFIG_PASSPHRASE: "set it to a passphrase of 12 characters or more, and keep it",
} as const;

/**
 * Reads the environment. Without DATABASE_URL, in embedded mode, the secrets that are not set are
 * made at random and kept in the data folder.
 *
 * @throws {@link EnvironmentError} with every fault.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const values = parseEnvironment(variables, env);
  const embedded = values.DATABASE_URL === undefined;
  const faults = embedded ? embeddedFaults(values) : missing(values);
  if (values.JWT_SECRET !== undefined && values.JWT_PUBLIC_KEY !== undefined) {
    faults.push("JWT_SECRET and JWT_PUBLIC_KEY are both set: unset the one that signs no tokens");
  }
  if (faults.length > 0) throw new EnvironmentError(faults);

  const made = embedded ? developmentSecrets(values.DATA_DIR) : undefined;
  const secret = values.JWT_SECRET ?? made?.jwtSecret ?? "";
  return {
    databaseUrl: values.DATABASE_URL,
    dataDir: values.DATA_DIR,
    host: values.HOST,
    port: values.PORT,
    tokens: {
      ...(values.JWT_PUBLIC_KEY ?? secretVerification(secret)),
      issuer: values.JWT_ISSUER,
      audience: values.JWT_AUDIENCE,
    },
    developmentSecret: embedded && values.JWT_PUBLIC_KEY === undefined ? secret : undefined,
    backendUrl: values.PULUMI_BACKEND_URL ?? `file://${path.join(values.DATA_DIR, "state")}`,
    passphrase: values.PULUMI_CONFIG_PASSPHRASE ?? made?.passphrase ?? "",
    migrationsDir: values.TENANT_MIGRATIONS_DIR,
    concurrency: values.SETUP_CONCURRENCY,
    wait: values.SETUP_WAIT * 1_000,
    timeout: values.SETUP_TIMEOUT * 1_000,
    memory: values.SETUP_MEMORY,
    ways: {
      keptProviders: values.KEEP_PROVIDERS,
      parkedRuns: values.PARKED_RUNS,
      spareStacks: values.SPARE_STACKS,
      skipCheckpoints: values.SKIP_CHECKPOINTS,
    },
    queueLimit: values.QUEUE_LIMIT,
    rateLimit: values.RATE_LIMIT,
    streams: { perSubject: values.EVENT_STREAMS_PER_SUB, total: values.EVENT_STREAMS },
    logLevel: values.LOG_LEVEL,
  };
}

/** Embedded mode prints a token that may set up tenants, so nobody else may reach the port. */
function embeddedFaults({ HOST }: Environment): string[] {
  if (/^(localhost|::1|127(\.\d{1,3}){3})$/.test(HOST)) return [];
  return [`HOST must be a loopback address without DATABASE_URL: unset HOST, or set DATABASE_URL`];
}

function missing(values: Environment): string[] {
  const faults = Object.entries(required)
    .filter(([name]) => values[name as keyof typeof required] === undefined)
    .map(([name, what]) => `${name} is not set: ${what}`);
  if (values.JWT_SECRET === undefined && values.JWT_PUBLIC_KEY === undefined) {
    faults.push(
      "JWT_SECRET is not set: set it to 32 random bytes or more (openssl rand -base64 48), " +
        "or set JWT_PUBLIC_KEY to the PEM of who signs your tokens",
    );
  }
  return faults;
}
