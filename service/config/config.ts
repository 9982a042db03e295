import path from "node:path";
import type { z } from "zod";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { developmentSecrets } from "./development-secrets";
import type { EngineOptions } from "./engine-options";
import { EnvironmentError, migrationsOnStart, parseEnvironment, variables } from "./variables";
import { secretVerification, type TokenSettings } from "../auth/token-settings";

/** The service's settings, read from the environment, checked and complete. */
export interface Config {
  /** Undefined in embedded mode, where the service starts a PostgreSQL of its own. */
  readonly databaseUrl: string | undefined;
  /** The folder in which embedded mode keeps its database, its state and its secrets. */
  readonly dataDir: string;
  readonly host: string;
  /** 0 stands for any free port. */
  readonly port: number;
  readonly tokens: TokenSettings;
  /** The secret that development tokens are signed with; undefined where the service signs none. */
  readonly developmentSecret: string | undefined;
  /** Where Pulumi keeps state; the path of a `file://` URL is absolute. */
  readonly backendUrl: string;
  /** Encrypts the secrets in the state. */
  readonly passphrase: string;
  /** The folder with the tenant migrations, as an absolute path. */
  readonly migrationsDir: string;
  /** The PostgreSQL roles as which the product works on its tenants' tables. */
  readonly productRoles: readonly string[];
  /** Whether each tenant's schema has an owner of its own. The program hosts read the variable themselves. */
  readonly tenantRoles: boolean;
  /** How many engine runs there may be at once. */
  readonly concurrency: number;
  /** How long a caller waits for the end of an operation. */
  readonly waitMs: number;
  /** How long a run may work for its tenants before it counts as hung and is killed. */
  readonly timeoutMs: number;
  /** How much heap a run's program may have. */
  readonly memoryMb: number;
  readonly engineOptions: EngineOptions;
  /** How many operations may wait or run. */
  readonly queueLimit: number;
  /** How many operations a token's subject may ask for in a minute. */
  readonly rateLimit: number;
  /** How many event streams may be open at once. */
  readonly streams: { readonly perSubject: number; readonly total: number };
  /** How many days an operation is kept after its end. */
  readonly retentionDays: number;
  /** How many days a deleted tenant is kept before it is purged by itself. */
  readonly purgeAfterDays: number;
  /** Whether deleted tenants are purged by themselves. */
  readonly purges: boolean;
  /** How many seconds there are from one look at all tenants to the next; 0 for no looks. */
  readonly driftCheckS: number;
  /** Whether tenants are brought to new migrations at the start. */
  readonly migrateOnStart: (typeof migrationsOnStart)[number];
  /** How many tenants an instance migrates at once in a rollout. */
  readonly rolloutConcurrency: number;
  readonly logLevel: string;
}

type Environment = z.infer<typeof variables>;

const required = {
  PULUMI_BACKEND_URL: "set it to where Pulumi keeps state, such as s3://BUCKET or file:///FOLDER",
  PULUMI_CONFIG_PASSPHRASE: "set it to a passphrase of 12 characters or more, and keep it",
  TENANT_MIGRATIONS_DIR: "set it to the folder with the migrations that every tenant gets",
} as const;

/**
 * Reads the settings from the environment. Without DATABASE_URL (embedded mode), secrets that are not set
 * are made at random and kept in the data folder.
 *
 * @throws {@link EnvironmentError} with a line for every fault.
 */
export function readServiceConfig(env: NodeJS.ProcessEnv): Config {
  const values = parseEnvironment(variables, env);
  const embedded = values.DATABASE_URL === undefined;
  const faults = embedded ? embeddedFaults(values) : missing(values);
  if (values.JWT_SECRET !== undefined && values.JWT_PUBLIC_KEY !== undefined) {
    faults.push("JWT_SECRET and JWT_PUBLIC_KEY are both set: unset the one that signs no tokens");
  }
  if (values.JWT_PUBLIC_KEY !== undefined && values.JWT_AUDIENCE === undefined) {
    // Who signs with a private key signs for others too: a token's permissions are ours only if it names us.
    faults.push(
      "JWT_AUDIENCE is not set: set it to the audience (claim aud) by which the tokens for this service " +
        "name it, because JWT_PUBLIC_KEY verifies tokens for others too",
    );
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
    migrationsDir: values.TENANT_MIGRATIONS_DIR ?? tenantMigrationsDir,
    productRoles: values.PRODUCT_ROLES ?? [],
    tenantRoles: values.TENANT_ROLES,
    concurrency: values.SETUP_CONCURRENCY,
    waitMs: values.SETUP_WAIT * 1_000,
    timeoutMs: values.SETUP_TIMEOUT * 1_000,
    memoryMb: values.SETUP_MEMORY,
    engineOptions: {
      keptProviders: values.KEEP_PROVIDERS,
      prestartedRuns: values.PRESTARTED_RUNS,
      spareStacks: values.SPARE_STACKS,
      skipCheckpoints: values.SKIP_CHECKPOINTS,
    },
    queueLimit: values.QUEUE_LIMIT,
    rateLimit: values.RATE_LIMIT,
    streams: { perSubject: values.EVENT_STREAMS_PER_SUB, total: values.EVENT_STREAMS },
    retentionDays: values.OPERATIONS_RETENTION,
    purgeAfterDays: values.RETENTION_DAYS,
    purges: values.PURGE,
    driftCheckS: values.DRIFT_CHECK,
    migrateOnStart: values.MIGRATE_ON_START ?? (embedded ? "all" : "off"),
    rolloutConcurrency: values.ROLLOUT_CONCURRENCY,
    logLevel: values.LOG_LEVEL,
  };
}

/** Embedded mode prints a token that may set up tenants, so the port must not be reachable by other machines. */
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
