import { Client, credentials } from "@grpc/grpc-js";
import { PluginAttach, PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";

import { reasonOf, runTool } from "../../scripts/tool.cjs";

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
export async function pluginInfo(
  port: number,
  service: PluginService,
  patience = PATIENCE,
): Promise<string> {
  const answer = await ask(port, `/pulumirpc.${service}/GetPluginInfo`, Buffer.alloc(0), patience);
  return PluginInfo.deserializeBinary(answer).getVersion();
}

/**
 * Attaches to a provider that listens on a port of 127.0.0.1, as an engine does that finds it running.
 *
 * @throws when it does not let itself be attached to, or does not answer
 */
export async function attach(port: number): Promise<void> {
  const request = new PluginAttach();
  // Of an engine, to which it would send what it has to log.
  request.setAddress("127.0.0.1:1");
  const bytes = Buffer.from(request.serializeBinary());
  await ask(port, "/pulumirpc.ResourceProvider/Attach", bytes, PATIENCE);
}

function ask(port: number, method: string, request: Buffer, patience: number): Promise<Buffer> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    // The proxy of the environment is for what is far away.
    "grpc.enable_http_proxy": 0,
  });
  return new Promise<Buffer>((resolve, reject) => {
    client.makeUnaryRequest(
      method,
      () => request,
      (bytes: Buffer) => bytes,
      {},
      { deadline: Date.now() + patience },
      (error, answer) => {
        if (error) reject(error);
        else resolve(answer ?? Buffer.alloc(0));
      },
    );
  }).finally(() => client.close());
}
