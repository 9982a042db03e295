import type { ClientConfig, Pool, PoolClient } from "pg";
import { watchConnection } from "../../../provider/connections/heartbeat";
import { tlsFault, tlsOptions } from "../../../provider/connections/tls";
import { messageOf } from "../rpc";
import type { ConnectionConfig } from "./config";

/** How long an unused connection stays open, so that a `pulumi up` soon after another finds it. */
const IDLE_TIMEOUT_MS = 5_000;

/** Connections to the databases of one server, opened when first needed. */
export class Connections {
  private readonly pools = new Map<string, Promise<Pool>>();

  constructor(readonly config: ConnectionConfig) {}

  /**
   * Runs the work in a transaction, which ends with the connection when this process is killed.
   *
   * @param database the provider's own when undefined.
   * @throws Error in lib/pq's words when the database cannot be reached, or what the work throws.
   */
  async transaction<T>(
    database: string | undefined,
    work: (client: PoolClient) => Promise<T>,
  ): Promise<T> {
    const client = await this.connect(database ?? this.config.database);
    let broken = true;
    try {
      await client.query("begin");
      const result = await work(client);
      await client.query("commit");
      broken = false;
      return result;
    } catch (error) {
      // Over a broken connection no rollback is possible; the server has then rolled back by itself.
      broken = await client.query("rollback").then(
        () => false,
        () => true,
      );
      throw error;
    } finally {
      client.release(broken);
    }
  }

  /** Closes every connection once its work is done. */
  async close(): Promise<void> {
    await Promise.all([...this.pools.values()].map(async (pool) => (await pool).end()));
    this.pools.clear();
  }

  private async connect(database: string): Promise<PoolClient> {
    const { host, password } = this.config;
    const pool = this.pools.get(database) ?? this.open(database);
    this.pools.set(database, pool);
    try {
      return await (await pool).connect();
    } catch (error) {
      const said = complaint(error);
      // lib/pq's words for a certificate do not say what to do.
      const words = said === messageOf(error) ? messageOf(tlsFault(error, host)) : said;
      const reason = password ? words.replaceAll(password, "XXXX") : words;
      throw new Error(
        `error connecting to PostgreSQL server ${host} (scheme: postgres): ${reason}`,
        { cause: error },
      );
    }
  }

  /** Imports `pg` only now: a check, a diff or a preview needs no database, and starts faster without. */
  private async open(database: string): Promise<Pool> {
    const { Pool } = await import("pg");
    const { host, port, username, password, connectTimeout, maxConnections } = this.config;
    const config: ClientConfig = {
      ...{ host, port, database, user: username, ssl: tlsOptions(this.config) },
      ...(password === undefined ? {} : { password }),
      connectionTimeoutMillis: Math.max(connectTimeout, 0) * 1_000,
      fallback_application_name: "pulumi-resource-postgresql stand-in",
    };
    const pool = new Pool({
      ...config,
      max: maxConnections > 0 ? maxConnections : Infinity,
      idleTimeoutMillis: IDLE_TIMEOUT_MS,
      onConnect: (client) => watchConnection(client, config),
    });
    // The pool replaces a broken idle connection by itself, but its error event ends the process when
    // nobody listens for it.
    pool.on("error", () => undefined);
    return pool;
  }
}

/**
 * Waits for a statement and gives its result.
 *
 * @param failure What could not be done: the start of the message when the statement fails.
 * @throws Error with that, and then what PostgreSQL said.
 */
export async function because<T>(failure: string, statement: Promise<T>): Promise<T> {
  try {
    return await statement;
  } catch (error) {
    throw new Error(`${failure}: ${complaint(error)}`, { cause: error });
  }
}

/**
 * What went wrong, as lib/pq writes it, since the official plugin's messages end in that.
 * https://github.com/lib/pq/blob/master/error.go
 */
function complaint(error: unknown): string {
  const message = messageOf(error);
  if (message === "The server does not support SSL connections") {
    return "pq: SSL is not enabled on the server";
  }
  return isDatabaseError(error) ? `pq: ${message} (${error.code})` : message;
}

function isDatabaseError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "severity" in error && "code" in error;
}
