import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { Client, credentials } from "@grpc/grpc-js";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";

import { endGroup } from "./tool.cjs";

/** How long a plugin may take to start and to answer, in ms. */
const PATIENCE = 15_000;

/** The gRPC services of Pulumi's plugins that tell about themselves. */
export type PluginService = "LanguageRuntime" | "ResourceProvider";

/**
 * Starts a plugin as the engine does, asks it who it is (`GetPluginInfo`) and ends it.
 *
 * @param args of the plugin; the engine's own address, which plugins take, is optional for most
 * @returns its version, without a leading v; empty when it does not know
 * @throws when it does not start or answer
 */
export async function askPlugin(
  path: string,
  service: PluginService,
  options: { readonly args?: readonly string[]; readonly environment?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const plugin = spawn(path, options.args ?? [], {
    env: options.environment,
    // Its stdin stays open: a plugin may take the end of it for the end of its engine.
    stdio: ["pipe", "pipe", "ignore"],
    // A group of its own, to end with it what a shell script starts.
    detached: true,
  });
  try {
    const port = await portOf(plugin);
    return (await getPluginInfo(port, service)).replace(/^v/, "");
  } finally {
    plugin.stdin.destroy();
    endGroup(plugin);
  }
}

/** A plugin prints the port that it listens on as its first line. */
async function portOf(plugin: ChildProcess): Promise<number> {
  if (!plugin.stdout) throw new Error("no stdout");
  const signal = AbortSignal.timeout(PATIENCE);
  const lines = createInterface(plugin.stdout);
  const [line] = (await Promise.race([
    once(lines, "line", { signal }),
    once(lines, "close", { signal }).then(() => ["it ended without naming its port"]),
    once(plugin, "error", { signal }).then(([error]: unknown[]) => Promise.reject(error as Error)),
  ])) as [string];
  const port = Number(line);
  if (!Number.isInteger(port)) throw new Error(line);
  return port;
}

function getPluginInfo(port: number, service: PluginService): Promise<string> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  return new Promise<string>((resolve, reject) => {
    client.makeUnaryRequest(
      `/pulumirpc.${service}/GetPluginInfo`,
      () => Buffer.alloc(0),
      (bytes: Buffer) => PluginInfo.deserializeBinary(bytes),
      {},
      { deadline: Date.now() + PATIENCE },
      (error, info) => {
        if (error) reject(error);
        else resolve(info?.getVersion() ?? "");
      },
    );
  }).finally(() => client.close());
}
