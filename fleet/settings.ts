import path from "node:path";
import { ConfigurationError } from "../provider/contract/errors";
import { connectionSettings, type ConnectionSettings } from "../provider/database/settings";

/** Where the tenants are, and what they are to have. */
export interface FleetSettings {
  readonly database: ConnectionSettings;
  /** The folder with the tenants' migrations, as an absolute path. */
  readonly directory: string;
}

/**
 * Reads DATABASE_URL and TENANT_MIGRATIONS_DIR, as the service has them.
 *
 * @param migrations The folder, where the command line names it; a relative one starts where the command was given.
 * @throws {@link ConfigurationError} that says what to set.
 */
export function readSettings(migrations: string | undefined): FleetSettings {
  // First, since most often it is the service's whole environment that is not there.
  const database = connectionSettings();
  const { TENANT_MIGRATIONS_DIR, INIT_CWD } = process.env;
  // npm changes to the project's folder first. INIT_CWD is the folder in which it was called.
  const named = migrations && path.resolve(INIT_CWD ?? process.cwd(), migrations);
  const directory = named ?? TENANT_MIGRATIONS_DIR;
  if (directory === undefined || directory === "") {
    throw new ConfigurationError(
      "TENANT_MIGRATIONS_DIR is not set: set it as the service has it, or name the folder by --migrations",
    );
  }
  return { database, directory: path.resolve(directory) };
}
