import { randomBytes } from "node:crypto";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { variables as serviceVariables } from "../../service/config/variables";

/** What a service is started with. */
export interface ServiceSettings {
  readonly databaseUrl: string;
  readonly backendUrl: string;
  /** Default: this package's own. */
  readonly migrationsDir?: string;
  /** Default: the service's own. */
  readonly spareStacks?: number;
  /** What the CLI needs to find its plugins. */
  readonly engine: Readonly<Record<string, string>>;
}

/** The service's variables that are set in the environment and passed on, each as `NAME=value`. */
export function optionsSet(env: NodeJS.ProcessEnv): string[] {
  return Object.keys(serviceVariables.shape)
    .filter((name) => env[name] !== undefined && !(name in setByBench))
    .map((name) => `${name}=${env[name] ?? ""}`);
}

/** The variables that the bench sets itself. */
const setByBench = {
  DATABASE_URL: undefined,
  PULUMI_BACKEND_URL: undefined,
  PULUMI_CONFIG_PASSPHRASE: undefined,
  TENANT_MIGRATIONS_DIR: undefined,
  JWT_SECRET: undefined,
  JWT_PUBLIC_KEY: undefined,
  JWT_ISSUER: undefined,
  JWT_AUDIENCE: undefined,
  DATA_DIR: undefined,
  HOST: "127.0.0.1",
  PORT: "0",
  LOG_LEVEL: "info",
  // So high that no request of the bench is refused.
  RATE_LIMIT: "100000",
  // In seconds. A slow set-up is waited for and measured, not answered with 202.
  SETUP_WAIT: "300",
};

/** The same for all, so that one service can read the states of another. */
const passphrase = randomBytes(16).toString("hex");

/** The whole environment of a service; its tokens are signed with the secret. */
export function environmentOf(settings: ServiceSettings, secret: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    ...settings.engine,
    ...setByBench,
    DATABASE_URL: settings.databaseUrl,
    PULUMI_BACKEND_URL: settings.backendUrl,
    PULUMI_CONFIG_PASSPHRASE: passphrase,
    TENANT_MIGRATIONS_DIR: settings.migrationsDir ?? tenantMigrationsDir,
    ...(settings.spareStacks === undefined ? {} : { SPARE_STACKS: String(settings.spareStacks) }),
    JWT_SECRET: secret,
  };
}
