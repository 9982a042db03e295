import { isThisMachine, tlsSettings, type TlsSettings } from "../connections/tls";
import { rules } from "../contract/rules";
import { ConfigurationError } from "../contract/errors";

/** The environment variable that holds the database URL unless a stack names another. */
export const DEFAULT_URL_VARIABLE = "DATABASE_URL";

/** A database URL, read once, so that pg, dbmate and the postgresql plugin connect alike. */
export interface ConnectionSettings extends TlsSettings {
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
}

/**
 * Where a database is: its settings, or the name of the environment variable that holds its URL. Without
 * either, the variable is DATABASE_URL.
 */
export type DatabaseAddress = ConnectionSettings | string | undefined;

/**
 * The settings of a database.
 *
 * @throws {@link ConfigurationError} when a variable is named that is not set or holds no usable URL.
 */
export function settingsOf(database: DatabaseAddress): ConnectionSettings {
  return typeof database === "object" ? database : connectionSettings(database);
}

/**
 * What a resource calls its database's URL when that is in no environment variable, but in the configuration of
 * the resource's provider.
 */
export const CONFIGURED_URL = "url";

// A provider's process serves the resources of one database.
let configuredUrl: string | undefined;

/** Sets the URL that {@link CONFIGURED_URL} stands for in this process. */
export function configureUrl(url: string | undefined): void {
  configuredUrl = url;
}

/**
 * Reads the settings out of the named environment variable of this process, or out of the configured URL.
 *
 * @throws {@link ConfigurationError} when it is not set or is no usable URL; the message names the
 * variable and never repeats its value.
 */
export function connectionSettings(variable: string = DEFAULT_URL_VARIABLE): ConnectionSettings {
  assertVariableName(variable);
  const text = variable === CONFIGURED_URL ? configuredUrl : process.env[variable];
  if (text === undefined || text === "") {
    throw new ConfigurationError(
      `${variable} is not set: set it to the database's URL, postgres://USER:PASSWORD@HOST:5432/DATABASE`,
    );
  }
  return parseDatabaseUrl(text, variable);
}

/**
 * Refuses a text that is no variable's name, such as the URL itself, before the text reaches a state.
 *
 * @throws {@link ConfigurationError} without the text, which may have a password in it.
 */
export function assertVariableName(variable: string): void {
  if (rules.environmentVariable.safeParse(variable).success) return;
  throw new ConfigurationError(
    "urlEnv must be the name of the environment variable that holds the database's URL",
  );
}

/**
 * Parses `postgres://user:password@host:port/database?sslmode=…&sslrootcert=…&sslcert=…&sslkey=…`.
 *
 * Without `sslmode` it is `disable` for addresses of this machine and `verify-full` for all others. The clients'
 * own defaults differ (pg: disable, lib/pq: require), and none of them checks who answers.
 *
 * @param variable What the URL is called in an error.
 * @throws {@link ConfigurationError} with the variable's name and what is wrong, never the value.
 */
export function parseDatabaseUrl(text: string, variable: string): ConnectionSettings {
  const fault = (reason: string) => new ConfigurationError(`${variable} ${reason}`);
  if (!URL.canParse(text)) throw fault("is not a URL");
  const url = new URL(text);
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") {
    throw fault("must start with postgres:// or postgresql://");
  }
  if (url.hostname === "") throw fault("names no host: a socket cannot be used, give a host name");
  const database = decodeURIComponent(url.pathname.slice(1));
  if (database === "") throw fault("names no database");
  const user = decodeURIComponent(url.username);
  if (user === "") throw fault("names no user");
  const unknown = [...url.searchParams.keys()].filter((key) => !queryKeys.has(key));
  if (unknown.length > 0) {
    throw fault(`has a parameter that is not supported: ${unknown.join(", ")}`);
  }
  const tls = tlsSettings(url);
  if (typeof tls === "string") throw fault(tls);
  return Object.freeze({
    ...tls,
    port: url.port === "" ? 5432 : Number(url.port),
    database,
    user,
    password: url.password === "" ? undefined : decodeURIComponent(url.password),
  });
}

const queryKeys = new Set(["sslmode", "sslrootcert", "sslcert", "sslkey"]);

/**
 * What to warn of where a connection to another machine does not check who answers there.
 *
 * @param variable What the URL is called.
 * @returns undefined where it checks that, or stays on this machine.
 */
export function unverified(
  { host, sslmode, sslrootcert }: ConnectionSettings,
  variable: string,
): string | undefined {
  const isChecked = sslmode.startsWith("verify-") || (sslmode === "require" && sslrootcert);
  if (isChecked || isThisMachine(host)) return undefined;
  return (
    `${variable} has sslmode=${sslmode}: whoever is between here and ${host} can read and change what is ` +
    `sent, the password too. Set verify-full, and sslrootcert where the authority is your own`
  );
}
