import { fstatSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { type Server, ServerCredentials } from "@grpc/grpc-js";
import { isFromOwnUser } from "./connection-owner";

/**
 * Serves gRPC on a free port of 127.0.0.1, for processes of this user and of root only. Any user of the
 * machine can connect to a loopback port, and a plugin acts with the rights of the user that runs it. A
 * connection whose user cannot be told is closed too.
 *
 * @returns the port.
 * @throws Error when no port can be bound.
 */
export function serveOwnUser(server: Server): Promise<number> {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const front = createServer({ noDelay: true }, (socket) => {
    if (isFromOwnUser(socket)) injector.injectConnection(socket);
    else socket.destroy();
  });
  return new Promise((resolve, reject) => {
    front.once("error", reject);
    front.listen(0, "127.0.0.1", () => resolve((front.address() as AddressInfo).port));
  });
}

/**
 * Calls `end` when the process that started this one has ended.
 *
 * A process that is killed cannot signal its children, but the kernel closes its end of the pipe that is
 * their standard input. Nothing happens where stdin is no pipe but a terminal or /dev/null: a plugin that
 * a person started alone, for engines to attach to, goes on.
 */
export function whenParentDies(end: () => void): void {
  // Without bigint, modules that are loaded after it are not found behind symbolic links:
  // https://github.com/nodejs/node/issues/51142
  const stdin = fstatSync(0, { bigint: true });
  if (!stdin.isFIFO() && !stdin.isSocket()) return;
  process.stdin.on("end", end).on("error", end).resume();
}
