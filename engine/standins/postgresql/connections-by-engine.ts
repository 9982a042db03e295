import type { ConnectionConfig } from "./config";
import { Connections } from "./connections";

/** More engines than ever talk to one process at once; see `ConnectionsByEngine`. */
const MAX_ENGINES = 1_000;

/**
 * The databases that engines have configured this process for. A plugin that is attached to by
 * `PULUMI_DEBUG_PROVIDERS` serves many engines, at once and one after the other, and an engine
 * configures it once for every provider resource: each over a connection of its own. So a call
 * belongs to whoever configured its connection, or it could reach another stack's database.
 */
export class ConnectionsByEngine {
  private readonly byPeer = new Map<string, Connections>();
  private readonly byConfig = new Map<string, Connections>();

  /** @param peer the engine's end of the gRPC connection. */
  configure(peer: string, config: ConnectionConfig): void {
    const key = JSON.stringify(config);
    const connections = this.byConfig.get(key) ?? new Connections(config);
    this.byConfig.set(key, connections);
    this.byPeer.delete(peer);
    this.byPeer.set(peer, connections);
    // gRPC does not tell when a connection ends: forget the oldest rather than keep all for ever.
    const [oldest] = this.byPeer.keys();
    if (this.byPeer.size > MAX_ENGINES && oldest !== undefined) this.byPeer.delete(oldest);
  }

  /**
   * @throws Error when it is not certain which database is meant: before `configure`, or after gRPC
   * replaced an idle connection while more than one database is configured.
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
