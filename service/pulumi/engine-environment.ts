import type { KeptName } from "../../engine/providers/kept-providers";
import { parseDatabaseUrl } from "../../provider/database/settings";
import { MARK, ownMark } from "../system/processes";
import type { EngineOptions } from "../config/engine-options";

/** What the engine's environment is made of, besides the environment of this process. */
export interface EngineEnvironment {
  /** What the CLI needs to find its plugins. */
  readonly engine: Readonly<Record<string, string>>;
  readonly databaseUrl: string;
  readonly backendUrl: string;
  readonly passphrase: string;
  /** The folder with the tenant migrations, as an absolute path. */
  readonly migrationsDir: string;
  /** The PostgreSQL roles as which the product works on its tenants' tables. */
  readonly productRoles?: readonly string[];
  readonly engineOptions: EngineOptions;
}

/**
 * The environment of the program hosts, and so of the CLI, its plugins and dbmate. It lacks the keys that
 * tokens are verified with: none of these processes needs them.
 */
export function engineEnvironment(settings: EngineEnvironment): NodeJS.ProcessEnv {
  const { productRoles = [] } = settings;
  const { password } = parseDatabaseUrl(settings.databaseUrl, "DATABASE_URL");
  return {
    ...process.env,
    ...settings.engine,
    ...optionsEnvironment(settings.engineOptions),
    JWT_SECRET: undefined,
    JWT_PUBLIC_KEY: undefined,
    [MARK]: ownMark(),
    DATABASE_URL: settings.databaseUrl,
    // The postgresql plugin reads the password here; as an input of the provider it would be in the state.
    ...(password === undefined ? {} : { PGPASSWORD: password }),
    // Read by the program: see up.ts.
    PRODUCT_ROLES: productRoles.length > 0 ? productRoles.join(",") : undefined,
    PULUMI_BACKEND_URL: settings.backendUrl,
    PULUMI_CONFIG_PASSPHRASE: settings.passphrase,
    // Also in embedded mode, where nobody has set it.
    TENANT_MIGRATIONS_DIR: settings.migrationsDir,
  };
}

/**
 * The environment of each provider that is kept running, taken from that of the engine: what it needs to
 * connect to the database, and what any process needs. The passphrase and the state backend's address and
 * credentials are left out: only the engine needs them.
 */
export function providerEnvironments(
  engine: NodeJS.ProcessEnv,
): Record<KeptName, NodeJS.ProcessEnv> {
  const having = (names: readonly RegExp[]) =>
    Object.fromEntries(
      Object.entries(engine).filter(([name]) => names.some((pattern) => pattern.test(name))),
    );
  return {
    postgresql: having([...anyProcess, libpq]),
    "pulumi-nodejs": having([...anyProcess, libpq, /^DATABASE_URL$/]),
  };
}

/** Variables of libpq, PGPASSWORD among them, by which the official plugin gets the password without a state having it. */
const libpq = /^PG[A-Z]+$/;

const anyProcess = [
  /^(PATH|HOME|USER|TMPDIR|TZ|LANG|LC_[A-Z]+)$/,
  // Options of node, and the certificates that are trusted.
  /^(NODE_OPTIONS|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR)$/,
  new RegExp(`^${MARK}$`),
];

/** The variables by which the CLI is given these options. */
function optionsEnvironment({ skipCheckpoints }: EngineOptions): Record<string, string> {
  return {
    // The CLI runs for about a second and uses about 100 MB, so garbage collection only costs time.
    GOGC: "off",
    // A copy of the state for each run, of which the CLI removes none, also when the stack is removed: names and
    // e-mails of a purged tenant would be kept for ever. The state can be made anew from the database.
    PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS: "true",
    // The CLI skips checkpoints only with PULUMI_EXPERIMENTAL: https://github.com/pulumi/pulumi/pull/10668
    ...(skipCheckpoints ? { PULUMI_EXPERIMENTAL: "true", PULUMI_SKIP_CHECKPOINTS: "true" } : {}),
  };
}
