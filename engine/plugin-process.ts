import { Client, credentials } from "@grpc/grpc-js";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";

import { reasonOf, runTool } from "./tool.cjs";

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
  const { args = [], ...rest } = options;
  const done = new AbortController();
  const tooLate = setTimeout(() => done.abort(), PATIENCE);
  try {
    const port = await new Promise<number>((resolve, reject) => {
      const onLine = (line: string) => {
        if (/^\d+$/.test(line)) resolve(Number(line));
      };
      void runTool(path, args, { ...rest, onLine, signal: done.signal }).then(({ output }) =>
        reject(new Error(`It named no port to listen on: ${reasonOf(output, ".")}`)),
      );
    });
    return (await pluginInfo(port, service)).replace(/^v/, "");
  } finally {
    clearTimeout(tooLate);
    done.abort();
  }
}

/**
 * Asks a plugin that listens on a port of 127.0.0.1 for its version.
 *
 * @param patience in ms
 * @throws when it does not answer
 */
export function pluginInfo(
  port: number,
  service: PluginService,
  patience = PATIENCE,
): Promise<string> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    // The proxy of the environment is for what is far away.
    "grpc.enable_http_proxy": 0,
  });
  return new Promise<string>((resolve, reject) => {
    client.makeUnaryRequest(
      `/pulumirpc.${service}/GetPluginInfo`,
      () => Buffer.alloc(0),
      (bytes: Buffer) => PluginInfo.deserializeBinary(bytes),
      {},
      { deadline: Date.now() + patience },
      (error, info) => {
        if (error) reject(error);
        else resolve(info?.getVersion() ?? "");
      },
    );
  }).finally(() => client.close());
}
