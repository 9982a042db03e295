import type { ClientConfig, PoolConfig } from "pg";
import { watchConnection } from "../connections/heartbeat";
import { tlsOptions } from "../connections/tls";
import type { ConnectionSettings } from "./settings";

/** How long a connection is idle before each end asks the other whether it is still there. */
const KEEPALIVE_IDLE_S = 10;

/**
 * Has the server end a session whose client is silent within half a minute. By the operating system's own
 * limits a session would keep its locks for two hours while it is idle, and for a quarter of an hour while
 * the server sends it an answer. Startup parameters: https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-TCP-KEEPALIVES-IDLE
 */
const serverLimits = {
  tcp_keepalives_idle: String(KEEPALIVE_IDLE_S), // in s
  tcp_keepalives_interval: "5", // in s
  tcp_keepalives_count: "3",
  tcp_user_timeout: "30000", // in ms
};

/**
 * The settings as node-postgres takes them. Reads the certificates' files where any are named.
 *
 * A pool calls `onConnect` with each of its connections, which are then destroyed when they go silent.
 * Whoever makes a client without a pool has to call it.
 *
 * @throws errors of the file system when a file cannot be read.
 */
export function pgConfig(settings: ConnectionSettings): PoolConfig {
  const config = clientConfig(settings);
  return {
    ...config,
    onConnect: (client) => watchConnection(client, config),
  };
}

function clientConfig(settings: ConnectionSettings): ClientConfig {
  const { host, port, database, user, password } = settings;
  const { PGOPTIONS } = process.env;
  const limits = Object.entries(serverLimits).map(([name, value]) => `-c ${name}=${value}`);
  return {
    host,
    port,
    database,
    user,
    ...(password === undefined ? {} : { password }),
    ssl: tlsOptions(settings),
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_IDLE_S * 1_000,
    // pg passes over the variable when this option is given, so the variable is part of it.
    options: [...(PGOPTIONS ? [PGOPTIONS] : []), ...limits].join(" "),
    application_name: "pulumi-tenant",
  };
}

/** How long a session may take, in ms; by default what the server and the role say. 0 is without a limit. */
export interface SessionLimits {
  /** For each lock that a statement waits for. */
  readonly lockTimeoutMs: number;
  /** For each statement. */
  readonly statementTimeoutMs: number;
}

/**
 * The settings as a URL for dbmate, whose driver is lib/pq.
 *
 * @param schema The whole search path. It is not quoted: given in quotes, dbmate would make a schema whose
 *   name has quotes in it.
 * @param sessionName The session's `application_name`, at most 63 bytes.
 * @param limits Parameters of the session's start: a RESET in a migration comes back to them.
 */
export function dbmateUrl(
  settings: ConnectionSettings,
  schema: string,
  sessionName: string,
  limits?: SessionLimits,
): string {
  const { host, port, database, user, password, sslmode } = settings;
  const login = [user, ...(password === undefined ? [] : [password])].map(encodeURIComponent);
  const query = new URLSearchParams({
    sslmode,
    search_path: schema,
    application_name: sessionName,
    connect_timeout: "10", // in s
    ...serverLimits,
    ...(limits && {
      lock_timeout: String(limits.lockTimeoutMs),
      statement_timeout: String(limits.statementTimeoutMs),
    }),
  });
  for (const key of ["sslrootcert", "sslcert", "sslkey"] as const) {
    const file = settings[key];
    if (file !== undefined) query.set(key, file);
  }
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return `postgres://${login.join(":")}@${address}/${encodeURIComponent(database)}?${query.toString()}`;
}
