import type { KeptName } from "../../engine/providers/kept-providers";
import { parseDatabaseUrl } from "../../provider/database/settings";
import { MARK, ownMark } from "../system/processes";
import type { EngineOptions } from "../config/engine-options";

/** What the engine runs with besides what this process runs with. */
export interface EngineEnvironment {
  /** What the CLI needs to find its plugins. */
  readonly engine: Readonly<Record<string, string>>;
  readonly databaseUrl: string;
  readonly backendUrl: string;
  readonly passphrase: string;
  readonly engineOptions: EngineOptions;
}

/**
 * The environment of the program hosts, and so of the CLI, its plugins and dbmate: without what
 * tokens are verified with, which is none of their business.
 */
export function engineEnvironment(settings: EngineEnvironment): NodeJS.ProcessEnv {
  const { password } = parseDatabaseUrl(settings.databaseUrl, "DATABASE_URL");
  return {
    ...process.env,
    ...settings.engine,
    ...optionsEnvironment(settings.engineOptions),
    JWT_SECRET: undefined,
    JWT_PUBLIC_KEY: undefined,
    [MARK]: ownMark(),
    DATABASE_URL: settings.databaseUrl,
    // The postgresql plugin takes it from here, so that it is in no state.
    ...(password === undefined ? {} : { PGPASSWORD: password }),
    PULUMI_BACKEND_URL: settings.backendUrl,
    PULUMI_CONFIG_PASSPHRASE: settings.passphrase,
  };
}

/**
 * The environment of each provider that is kept running, out of that of the engine: what it connects
 * to the database with, and what any process needs. The passphrase and the state backend, its address
 * and its credentials, are for the engine alone.
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

/** PGPASSWORD among them: the official plugin and dbmate know no other way to keep it out of a state. */
const libpq = /^PG[A-Z]+$/;

const anyProcess = [
  /^(PATH|HOME|USER|TMPDIR|TZ|LANG|LC_[A-Z]+)$/,
  // How node is to run, and whose certificates are trusted.
  /^(NODE_OPTIONS|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR)$/,
  new RegExp(`^${MARK}$`),
];

/** What the CLI has to be told of them, by its environment. */
function optionsEnvironment({ skipCheckpoints }: EngineOptions): Record<string, string> {
  return {
    // A CLI that lives for a second and uses some 100 MB needs no garbage collection.
    GOGC: "off",
    // Skipping is behind this door: https://github.com/pulumi/pulumi/pull/10668
    ...(skipCheckpoints ? { PULUMI_EXPERIMENTAL: "true", PULUMI_SKIP_CHECKPOINTS: "true" } : {}),
  };
}
