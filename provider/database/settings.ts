import { z } from "zod";
import { rules } from "../contract/rules";
import { ConfigurationError } from "../contract/errors";

/** The environment variable that holds the database URL unless a stack names another. */
export const DEFAULT_URL_VARIABLE = "DATABASE_URL";

const sslModes = ["disable", "require", "verify-ca", "verify-full"] as const;

/** A database URL, read once, so that pg, dbmate and the postgresql plugin connect alike. */
export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly sslmode: (typeof sslModes)[number];
  /** Path of the PEM file with the certificate authority, for verify-ca and verify-full. */
  readonly sslrootcert: string | undefined;
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
 * Reads the settings out of the named environment variable of this process.
 *
 * @throws {@link ConfigurationError} when it is not set or is no usable URL; the message names the
 * variable and never repeats its value.
 */
export function connectionSettings(variable: string = DEFAULT_URL_VARIABLE): ConnectionSettings {
  assertVariableName(variable);
  const text = process.env[variable];
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
 * Parses `postgres://user:password@host:port/database?sslmode=…&sslrootcert=…`.
 *
 * Without `sslmode` it is `disable` for addresses of this machine and `require` for all others, because
 * the three clients' own defaults differ (pg: disable, lib/pq: require).
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
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (host === "") throw fault("names no host: a socket cannot be used, give a host name");
  const database = decodeURIComponent(url.pathname.slice(1));
  if (database === "") throw fault("names no database");
  const user = decodeURIComponent(url.username);
  if (user === "") throw fault("names no user");
  const unknown = [...url.searchParams.keys()].filter((key) => !queryKeys.has(key));
  if (unknown.length > 0) {
    throw fault(`has a parameter that is not supported: ${unknown.join(", ")}`);
  }
  const sslmode = z
    .enum(sslModes)
    .safeParse(url.searchParams.get("sslmode") ?? (isLoopback(host) ? "disable" : "require"));
  if (!sslmode.success) throw fault(`has an sslmode that is none of ${sslModes.join(", ")}`);
  return Object.freeze({
    host,
    port: url.port === "" ? 5432 : Number(url.port),
    database,
    user,
    password: url.password === "" ? undefined : decodeURIComponent(url.password),
    sslmode: sslmode.data,
    sslrootcert: url.searchParams.get("sslrootcert") ?? undefined,
  });
}

const queryKeys = new Set(["sslmode", "sslrootcert"]);

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
