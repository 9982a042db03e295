import { parseDatabaseUrl } from "../../provider/database/settings";
import { MARK, ownMark } from "./processes";
import { waysEnvironment, type Ways } from "./ways";

/** What the engine runs with besides what this process runs with. */
export interface EngineEnvironment {
  /** What the CLI needs to find its plugins. */
  readonly engine: Readonly<Record<string, string>>;
  readonly databaseUrl: string;
  readonly backendUrl: string;
  readonly passphrase: string;
  readonly ways: Ways;
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
    ...waysEnvironment(settings.ways),
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
