import type { ConnectionConfig } from "./config";
import { Connections } from "./connections";

/** How many engines are remembered at most: far more than ever use one process at once. */
const MAX_ENGINES = 1_000;

/**
 * The database connections of each engine that uses this process. A plugin that engines attach to by
 * `PULUMI_DEBUG_PROVIDERS` serves many of them, and each configures it for its own database. An engine has
 * a gRPC connection of its own for each of its provider resources. So a call must use the database that
 * was configured over the same gRPC connection; any other could be another stack's.
 */
export class ConnectionsByEngine {
  private readonly byPeer = new Map<string, Connections>();
  private readonly byConfig = new Map<string, Connections>();

  /**
   * Notes which database the calls over this gRPC connection are for.
   *
   * @param peer the engine's end of the gRPC connection, as `getPeer` gives it.
   */
  configure(peer: string, config: ConnectionConfig): void {
    const key = JSON.stringify(config);
    const connections = this.byConfig.get(key) ?? new Connections(config);
    this.byConfig.set(key, connections);
    this.byPeer.delete(peer);
    this.byPeer.set(peer, connections);
    // gRPC does not report the end of a connection, so the oldest is forgotten when there are too many.
    const [oldest] = this.byPeer.keys();
    if (this.byPeer.size > MAX_ENGINES && oldest !== undefined) this.byPeer.delete(oldest);
  }

  /**
   * The database connections for calls over this gRPC connection.
   *
   * @throws Error when it is not certain which database is meant: before `configure`, or when gRPC has
   * replaced an idle connection by a new one while more than one database is configured.
   */
  connectionsFor(peer: string): Connections {
    const [only, another] = this.byConfig.values();
    const connections = this.byPeer.get(peer) ?? (another === undefined ? only : undefined);
    if (connections === undefined) {
      throw new Error("the provider is not configured on this connection: run the command again");
    }
    return connections;
  }

  /** Closes every database connection once its work is done. */
  async close(): Promise<void> {
    await Promise.all([...this.byConfig.values()].map((connections) => connections.close()));
  }
}
