import { readFileSync } from "node:fs";
import type { ClientConfig, PoolConfig } from "pg";
import { z } from "zod";
import { rules } from "../contract/rules";
import { ConfigurationError } from "../contract/errors";
import { watchConnection } from "../connections/heartbeat";

/** The environment variable that holds the database URL unless a stack names another. */
export const DEFAULT_URL_VARIABLE = "DATABASE_URL";

const sslModes = ["disable", "require", "verify-ca", "verify-full"] as const;

/** One reading of a database URL, so that pg, dbmate and the postgresql plugin never differ on it. */
export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly sslmode: (typeof sslModes)[number];
  /** Path of the file with the certificate authority, for verify-ca and verify-full. */
  readonly sslrootcert: string | undefined;
}

/** Where a database is: its settings, or the environment variable with its URL (default: DATABASE_URL). */
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

/** @throws {@link ConfigurationError} when a URL, say, is given where its variable's name belongs. */
export function assertVariableName(variable: string): void {
  if (rules.environmentVariable.safeParse(variable).success) return;
  throw new ConfigurationError(
    "urlEnv must be the name of the environment variable that holds the database's URL",
  );
}

/**
 * Parses `postgres://user:password@host:port/database?sslmode=…&sslrootcert=…`.
 *
 * Without `sslmode` the connection is plain to this machine's own addresses and `require` to all
 * others, because the three clients' own defaults differ (pg: disable, lib/pq: require).
 *
 * @throws {@link ConfigurationError} naming the variable and the fault, never the value.
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

/** After how many seconds each end of a connection asks the other whether it is still there. */
const KEEPALIVE_IDLE = 10;

/**
 * When the server gives up a session whose client is silent: within half a minute, where the system's
 * own limits are two hours for one that is idle and a quarter of an hour for one that is answered.
 * Startup parameters: https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-TCP-KEEPALIVES-IDLE
 */
const serverLimits = {
  tcp_keepalives_idle: String(KEEPALIVE_IDLE), // in s
  tcp_keepalives_interval: "5", // in s
  tcp_keepalives_count: "3",
  tcp_user_timeout: "30000", // in ms
};

/**
 * The settings as node-postgres takes them. Reads the certificate authority's file when one is named.
 *
 * A pool's connections are destroyed when they go silent. A client that is in no pool has to be handed
 * to `onConnect` for that.
 */
export function pgConfig(settings: ConnectionSettings): PoolConfig {
  const config = clientConfig(settings);
  return {
    ...config,
    onConnect: (client) => watchConnection(client, config),
  };
}

function clientConfig(settings: ConnectionSettings): ClientConfig {
  const { host, port, database, user, password, sslmode, sslrootcert } = settings;
  const { PGOPTIONS } = process.env;
  const limits = Object.entries(serverLimits).map(([name, value]) => `-c ${name}=${value}`);
  return {
    host,
    port,
    database,
    user,
    ...(password === undefined ? {} : { password }),
    ssl: sslmode !== "disable" && {
      rejectUnauthorized: sslmode !== "require",
      ...(sslrootcert === undefined ? {} : { ca: readFileSync(sslrootcert, "utf8") }),
      // verify-ca checks who signed the certificate, not for which name it was made.
      ...(sslmode === "verify-ca" ? { checkServerIdentity: () => undefined } : {}),
    },
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_IDLE * 1_000,
    // What is given here takes the place of the variable.
    options: [...(PGOPTIONS ? [PGOPTIONS] : []), ...limits].join(" "),
    application_name: "pulumi-tenant",
  };
}

/**
 * The settings as a URL for dbmate, whose driver is lib/pq, with `schema` as the whole search path
 * and `sessionName` as what PostgreSQL lists its session by.
 *
 * The schema is not quoted: with quotes dbmate makes a schema whose name has quotes in it.
 */
export function dbmateUrl(
  settings: ConnectionSettings,
  schema: string,
  sessionName: string,
): string {
  const { host, port, database, user, password, sslmode, sslrootcert } = settings;
  const login = [user, ...(password === undefined ? [] : [password])].map(encodeURIComponent);
  const query = new URLSearchParams({
    sslmode,
    search_path: schema,
    application_name: sessionName,
    connect_timeout: "10", // in s
    ...serverLimits,
  });
  if (sslrootcert !== undefined) query.set("sslrootcert", sslrootcert);
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return `postgres://${login.join(":")}@${address}/${encodeURIComponent(database)}?${query.toString()}`;
}
