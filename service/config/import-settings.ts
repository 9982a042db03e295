import { tenantMigrationsDir } from "../../provider/database/migrations";
import { embeddedEnvironment } from "./embedded";
import { EnvironmentError, parseEnvironment, variables } from "./variables";

/** What `npm run import` reads of the service's settings. */
export interface ImportSettings {
  readonly databaseUrl: string;
  readonly backendUrl: string;
  readonly passphrase: string;
  readonly migrationsDir: string;
  readonly productRoles: readonly string[];
  readonly memoryMb: number;
  readonly logLevel: string;
}

const wanted = variables.pick({
  DATABASE_URL: true,
  PULUMI_BACKEND_URL: true,
  PULUMI_CONFIG_PASSPHRASE: true,
  TENANT_MIGRATIONS_DIR: true,
  PRODUCT_ROLES: true,
  TENANT_ROLES: true,
  SETUP_MEMORY: true,
  LOG_LEVEL: true,
});

/**
 * Reads the settings by which the service makes tenants. Without DATABASE_URL they are those of the embedded
 * PostgreSQL, which `npm start` has started.
 *
 * @throws {@link EnvironmentError} with a line for every fault.
 */
export async function readImportSettings(env: NodeJS.ProcessEnv): Promise<ImportSettings> {
  const embedded = await embeddedEnvironment(env);
  const values = parseEnvironment(wanted, { LOG_LEVEL: "error", ...env, ...embedded });
  const { DATABASE_URL, PULUMI_BACKEND_URL, PULUMI_CONFIG_PASSPHRASE } = values;
  const migrationsDir =
    values.TENANT_MIGRATIONS_DIR ??
    (env.DATABASE_URL === undefined ? tenantMigrationsDir : undefined);
  if (DATABASE_URL === undefined) {
    throw new EnvironmentError([
      "DATABASE_URL is not set, and no embedded database runs: set it, or start one by npm start",
    ]);
  }
  const needed = {
    PULUMI_BACKEND_URL,
    PULUMI_CONFIG_PASSPHRASE,
    TENANT_MIGRATIONS_DIR: migrationsDir,
  };
  const faults = Object.entries(needed)
    .filter(([, value]) => value === undefined)
    .map(([name]) => `${name} is not set: set it as the service has it`);
  if (values.TENANT_ROLES) {
    faults.push(
      "TENANT_ROLES is set: an archive cannot be loaded into a tenant with a role of its own",
    );
  }
  if (faults.length > 0) throw new EnvironmentError(faults);
  return {
    databaseUrl: DATABASE_URL,
    backendUrl: PULUMI_BACKEND_URL ?? "",
    passphrase: PULUMI_CONFIG_PASSPHRASE ?? "",
    migrationsDir: migrationsDir ?? "",
    productRoles: values.PRODUCT_ROLES ?? [],
    memoryMb: values.SETUP_MEMORY,
    logLevel: values.LOG_LEVEL,
  };
}
