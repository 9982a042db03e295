import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { codeOf } from "../system/error-code";

/** The port, or the address, cannot be had. */
class ListenError extends Error {
  override readonly name = "ListenError";
}

/**
 * Serves HTTP.
 *
 * @throws ListenError in one line.
 */
export async function listen(app: RequestListener, host: string, port: number): Promise<Server> {
  const server = createServer(
    {
      // A request that comes in drops is cut off; a set-up may take as long as it takes.
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 30_000,
      connectionsCheckingInterval: 5_000,
    },
    app,
  );
  await new Promise<void>((resolve, reject) => {
    server
      .once("listening", resolve)
      .once("error", (error) => reject(inOneLine(error, host, port)));
    server.listen(port, host);
  });
  return server;
}

/** Finds out early what {@link listen} would find out after minutes of other work. */
export async function checkPort(host: string, port: number): Promise<void> {
  const server = await listen(() => undefined, host, port);
  await new Promise((resolve) => server.close(resolve));
}

/** The address of a server that listens, as a URL. */
export function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}

/** How long a connection may take for its last answer when all work has ended, in ms. */
const LAST_ANSWER_MS = 3_000;

/**
 * Stops listening, waits for the work that connections began, and ends them.
 *
 * @param ended Resolves when all work that has begun has ended.
 */
export async function closeServer(server: Server, ended: () => Promise<void>): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  await ended();
  // A connection whose answer is on its way becomes idle a moment later.
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const impatient = setTimeout(() => server.closeAllConnections(), LAST_ANSWER_MS);
  await closed;
  clearInterval(idle);
  clearTimeout(impatient);
  // A request that was still coming in may have begun some.
  await ended();
}

function inOneLine(error: Error, host: string, port: number): Error {
  if (codeOf(error) === "EADDRINUSE") {
    return new ListenError(`port ${port} of ${host} is in use: stop what uses it, or set PORT`);
  }
  return new ListenError(`cannot listen on port ${port} of ${host}: ${error.message}`);
}
