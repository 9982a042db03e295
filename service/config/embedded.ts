import path from "node:path";
import { findEmbeddedPostgres } from "../../engine/postgres/embedded";
import { readDevelopmentSecrets } from "./development-secrets";
import { parseEnvironment, variables } from "./variables";

const wanted = variables.pick({ DATABASE_URL: true, DATA_DIR: true });

/**
 * What `npm run pulumi` adds to its environment in embedded mode: the URL of the database that `npm start`
 * has started, and the state backend and passphrase of its data folder. Variables that are set stay as
 * they are.
 *
 * @returns an empty object when DATABASE_URL is set, or when no embedded database runs.
 * @throws EnvironmentError
 */
export async function embeddedEnvironment(env: NodeJS.ProcessEnv): Promise<Record<string, string>> {
  const { DATABASE_URL, DATA_DIR } = parseEnvironment(wanted, env);
  if (DATABASE_URL !== undefined) return {};
  const url = await findEmbeddedPostgres(path.join(DATA_DIR, "postgres"));
  const secrets = readDevelopmentSecrets(DATA_DIR);
  if (url === undefined || secrets === undefined) return {};
  return {
    DATABASE_URL: url,
    PULUMI_BACKEND_URL: env.PULUMI_BACKEND_URL ?? `file://${path.join(DATA_DIR, "state")}`,
    PULUMI_CONFIG_PASSPHRASE: env.PULUMI_CONFIG_PASSPHRASE ?? secrets.passphrase,
  };
}
