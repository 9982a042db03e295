import { setTimeout as delay } from "node:timers/promises";
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { canTellUsers } from "../system/connection-owner";
import { serveOwnUser, whenParentDies } from "../system/plugin-server";

/** A Pulumi plugin: one gRPC service, and what must be put away when its process ends. */
export interface Plugin {
  readonly service: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
  stop(): Promise<void>;
}

/** The limit that the engine and the official plugins use, far above gRPC's default of 4 MiB. */
const MAX_MESSAGE_BYTES = 400 * 1024 * 1024;

/** How long `stop` may take, in ms: more than a program gets to end. An engine waits 5 s itself. */
const CLOSE_TIMEOUT_MS = 6_000;

/**
 * Serves a plugin on a free loopback port, as the engine expects of every plugin: the port is the
 * first line on stdout, SIGINT ends the process, and so does the death of the process that started
 * it.
 *
 * @throws Error when no port can be bound.
 */
export async function servePlugin(plugin: Plugin): Promise<void> {
  const server = new Server({
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  });
  server.addService(plugin.service, plugin.implementation);

  let ending = false;
  const end = () => {
    if (ending) return;
    ending = true;
    server.forceShutdown();
    void Promise.race([plugin.stop(), delay(CLOSE_TIMEOUT_MS)]).finally(() => process.exit(0));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, end);
  whenParentDies(end);

  const port = await (canTellUsers() ? serveOwnUser(server) : bind(server));
  process.stdout.write(`${port}\n`);
}

/** Where a system does not tell whose a connection is, as an official plugin does: for anybody. */
function bind(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
  });
}
