import { Client, credentials } from "@grpc/grpc-js";
import { PluginAttach, PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";

import { reasonOf, runTool } from "../../scripts/tool.cjs";

/** How long a plugin may take to start and to answer. */
const PLUGIN_TIMEOUT_MS = 15_000;

/** The gRPC services of Pulumi's plugins that have the method `GetPluginInfo`. */
export type PluginService = "LanguageRuntime" | "ResourceProvider";

/**
 * Starts a plugin as the engine does, asks it who it is (`GetPluginInfo`) and ends it.
 *
 * @param options `args` are the plugin's arguments: an engine gives its own address, which most plugins
 * do without
 * @returns its version, without a leading v; empty when the plugin does not know it
 * @throws Error when it does not start, or does not answer within 15 seconds
 */
export async function askPlugin(
  path: string,
  service: PluginService,
  options: { readonly args?: readonly string[]; readonly environment?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const { args = [], ...rest } = options;
  const done = new AbortController();
  const tooLate = setTimeout(() => done.abort(), PLUGIN_TIMEOUT_MS);
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
 * @param timeoutMs how long it may take to answer
 * @returns its version, as it says it
 * @throws Error when it does not answer
 */
export async function pluginInfo(
  port: number,
  service: PluginService,
  timeoutMs = PLUGIN_TIMEOUT_MS,
): Promise<string> {
  const answer = await ask(port, `/pulumirpc.${service}/GetPluginInfo`, Buffer.alloc(0), timeoutMs);
  return PluginInfo.deserializeBinary(answer).getVersion();
}

/**
 * Attaches to a provider that listens on a port of 127.0.0.1, as an engine does for each one that
 * `PULUMI_DEBUG_PROVIDERS` names.
 *
 * @throws Error when the provider refuses, or does not answer within 15 seconds
 */
export async function attach(port: number): Promise<void> {
  const request = new PluginAttach();
  // A provider sends its log to the engine at this address. There is none: nothing listens on port 1.
  request.setAddress("127.0.0.1:1");
  const bytes = Buffer.from(request.serializeBinary());
  await ask(port, "/pulumirpc.ResourceProvider/Attach", bytes, PLUGIN_TIMEOUT_MS);
}

function ask(port: number, method: string, request: Buffer, timeoutMs: number): Promise<Buffer> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    // Without it grpc-js would send this call, too, through the proxy that the environment names.
    "grpc.enable_http_proxy": 0,
  });
  return new Promise<Buffer>((resolve, reject) => {
    client.makeUnaryRequest(
      method,
      () => request,
      (bytes: Buffer) => bytes,
      {},
      { deadline: Date.now() + timeoutMs },
      (error, answer) => {
        if (error) reject(error);
        else resolve(answer ?? Buffer.alloc(0));
      },
    );
  }).finally(() => client.close());
}
