import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { codeOf } from "../system/error-code";

/** The service cannot listen on the address or the port. Its message is one line for the operator. */
class ListenError extends Error {
  override readonly name = "ListenError";
}

/**
 * Starts to serve HTTP.
 *
 * @param port 0 for any free port.
 * @throws {@link ListenError}
 */
export async function listen(app: RequestListener, host: string, port: number): Promise<Server> {
  const server = createServer(
    {
      // These limit how long a request may take to arrive. How long its answer takes is not limited here.
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

/**
 * Checks that the port is free, before a start that may take minutes.
 *
 * @throws {@link ListenError}
 */
export async function checkPort(host: string, port: number): Promise<void> {
  const server = await listen(() => undefined, host, port);
  await new Promise((resolve) => server.close(resolve));
}

/** The address of a server that listens, as a URL. */
export function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}

/** How long a connection may take to send its last answer when all work has ended. */
const LAST_ANSWER_MS = 3_000;

/**
 * Stops listening, waits for the work that requests have begun, and closes the connections.
 *
 * @param ended Resolves when all work that has begun has ended. Called twice.
 */
export async function closeServer(server: Server, ended: () => Promise<void>): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  await ended();
  // A connection whose answer is being sent becomes idle a moment later, so idle ones are closed repeatedly.
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const impatient = setTimeout(() => server.closeAllConnections(), LAST_ANSWER_MS);
  await closed;
  clearInterval(idle);
  clearTimeout(impatient);
  // A request that was still arriving during the first wait may have begun more work.
  await ended();
}

function inOneLine(error: Error, host: string, port: number): Error {
  if (codeOf(error) === "EADDRINUSE") {
    return new ListenError(`port ${port} of ${host} is in use: stop what uses it, or set PORT`);
  }
  return new ListenError(`cannot listen on port ${port} of ${host}: ${error.message}`);
}
