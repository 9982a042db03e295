import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** The way between a client and a server, for a test to disturb. */
export interface BadNetwork {
  /** The same URL, by this way: its host and port are replaced. */
  through(url: string): string;
  /**
   * Nothing passes any more, in either direction, and no end is told of anything that happens on the
   * other side: what a firewall does that forgets a connection. Connections that were there stay so
   * for good; new ones are taken and left without an answer until {@link heal}.
   */
  silence(which: "those there are" | "the newest" | "new ones" | "all"): void;
  /** Resets the client's side of every connection. The server's side stays open, and hears nothing. */
  resetClients(): void;
  /** Resets both sides of every connection. */
  cut(): void;
  /** Lets each piece of data wait, in ms; 0 for not at all. */
  slow(ms: number): void;
  /** New connections work again. */
  heal(): void;
  /** The server finds out, as TCP keep-alive lets it, that nobody answers on the connections that are silent. */
  endSilent(): void;
  /** How many sessions the server still has by this way, those whose client is gone among them. */
  serverSides(): number;
  /** Ends all of it, as a server that shuts down: its clients are told that their sessions are over. */
  close(): Promise<void>;
}

/** One connection by the way. */
interface Link {
  readonly client: Socket;
  /** None where the network was silent when the client came. */
  readonly server?: Socket;
  silent: boolean;
}

/** Opens a way to the server of a URL, by a free port of this machine. */
export async function badNetworkTo(url: string): Promise<BadNetwork> {
  const { hostname, port } = new URL(url);
  const links = new Set<Link>();
  let silentForNew = false;
  let latencyMs = 0;

  const way = createServer({ allowHalfOpen: true }, (client) => {
    if (silentForNew) {
      links.add({ client: client.on("error", () => undefined), silent: true });
      return;
    }
    const server = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const link: Link = { client, server, silent: false };
    links.add(link);
    for (const socket of [client, server]) socket.setNoDelay(true).on("error", () => undefined);
    void forward(link, client, server);
    void forward(link, server, client);
  });

  async function forward(link: Link, from: Socket, to: Socket): Promise<void> {
    try {
      for await (const data of from) {
        if (latencyMs > 0) await delay(latencyMs);
        // Lost on the way: read, or the sender would see a full window.
        if (!link.silent) await new Promise((written) => to.write(data as Buffer, written));
      }
      if (!link.silent) to.end();
    } catch {
      if (!link.silent) to.resetAndDestroy();
    }
    if (link.client.destroyed && (link.server?.destroyed ?? true)) links.delete(link);
  }

  const silenceAll = () => {
    for (const link of links) link.silent = true;
  };
  const network: BadNetwork = {
    through(direct) {
      const changed = new URL(direct);
      changed.hostname = "127.0.0.1";
      changed.port = String((way.address() as AddressInfo).port);
      return changed.href;
    },
    silence(which) {
      if (which === "those there are" || which === "all") silenceAll();
      const newest = [...links].at(-1);
      if (which === "the newest" && newest !== undefined) newest.silent = true;
      if (which === "new ones" || which === "all") silentForNew = true;
    },
    resetClients() {
      silenceAll();
      for (const { client } of links) client.resetAndDestroy();
    },
    cut() {
      silenceAll();
      for (const { client, server } of links) {
        client.resetAndDestroy();
        server?.resetAndDestroy();
      }
      links.clear();
    },
    slow: (ms) => void (latencyMs = ms),
    heal: () => void (silentForNew = false),
    endSilent() {
      for (const { server, silent } of links) if (silent) server?.resetAndDestroy();
    },
    serverSides: () => [...links].filter(({ server }) => server && !server.destroyed).length,
    async close() {
      const closed = once(way, "close");
      way.close();
      silenceAll();
      for (const { client, server } of links) {
        client.end(goodbye, () => client.destroy());
        server?.destroy();
      }
      await closed;
    },
  };
  await listening(way);
  return network;
}

/** https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-ERRORRESPONSE */
const goodbye = (() => {
  const fields = "SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0";
  const length = Buffer.alloc(4);
  length.writeInt32BE(4 + fields.length);
  return Buffer.concat([Buffer.from("E"), length, Buffer.from(fields)]);
})();

async function listening(server: Server): Promise<void> {
  await once(server.listen(0, "127.0.0.1"), "listening");
}
