import { setTimeout as delay } from "node:timers/promises";
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { canTellUsers } from "../system/connection-owner";
import { serveOwnUser, whenParentDies } from "../system/plugin-server";

/** A Pulumi plugin: one gRPC service. */
export interface Plugin {
  readonly service: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
  /** Ends what the plugin has started and opened, before its process ends. */
  close(): Promise<void>;
}

/** The limit that the engine and the official plugins use, far above gRPC's default of 4 MiB. */
const MAX_MESSAGE_BYTES = 400 * 1024 * 1024;

/** How long `close` may take: longer than the 5 s that a program gets to end. */
const CLOSE_TIMEOUT_MS = 6_000;

/**
 * Serves a plugin on a free port of 127.0.0.1, as the engine expects of every plugin: the first line on
 * stdout is the port, and SIGINT ends the process. It also ends when the process that started it does.
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
    void Promise.race([plugin.close(), delay(CLOSE_TIMEOUT_MS)]).finally(() => process.exit(0));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, end);
  whenParentDies(end);

  const port = await (canTellUsers() ? serveOwnUser(server) : bind(server));
  process.stdout.write(`${port}\n`);
}

/** Serves every user of the machine, as official plugins do: for systems that do not say who connects. */
function bind(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
  });
}
