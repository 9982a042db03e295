import { chmodSync, existsSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { checkout, onPath, type Places } from "../../engine/obtain/places";

/**
 * A machine of its own, small and fake: its PATH has a few system tools and whatever a test puts
 * there, its home is empty, and no real Pulumi, Go or curl is in reach unless a test links it.
 */
export interface FakeTree {
  readonly root: string;
  readonly places: Places;
  /** Writes an executable shell script. */
  script(path: string, body: string): string;
  /** Writes a fake CLI: it knows its version, and what else `body` does. */
  cli(path: string, version: string, body?: string): string;
  /** Writes a fake plugin or language host: it starts, prints its port and tells its version. */
  plugin(path: string, version: string): string;
  /** Puts a real tool of this machine on the PATH. */
  link(tool: string): void;
}

const SYSTEM_TOOLS = [
  "sh",
  "cat",
  "chmod",
  "cp",
  "dirname",
  "echo",
  "mkdir",
  "node",
  "rm",
  "sleep",
];

export function makeFakeTree(variables: NodeJS.ProcessEnv = {}): FakeTree {
  const root = mkdtempSync(join(tmpdir(), "fake-tree-"));
  const bin = join(root, "bin");
  mkdirSync(bin);
  const script = (path: string, body: string) => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `#!/bin/sh\n${body}\n`);
    chmodSync(file, 0o755);
    return file;
  };
  const link = (tool: string) => {
    const [file] = onPath(tool, process.env.PATH);
    if (file === undefined) throw new Error(`these tests need ${tool}`);
    if (!existsSync(join(bin, tool))) symlinkSync(file, join(bin, tool));
  };
  SYSTEM_TOOLS.forEach(link);
  return {
    root,
    places: {
      engine: join(root, ".engine"),
      environment: { PATH: bin, HOME: join(root, "home"), ...variables },
    },
    script,
    cli: (path, version, body = "exit 1") =>
      script(path, `if [ "$1" = version ]; then echo "v${version}"; exit; fi\n${body}`),
    plugin: (path, version) => script(path, `exec node -e '${pluginProgram(version)}'`),
    link,
  };
}

/** Serves `GetPluginInfo`, the one call that tells a version, for both kinds of plugins. */
function pluginProgram(version: string): string {
  const modules = join(checkout, "node_modules");
  return `
    const grpc = require("${modules}/@grpc/grpc-js");
    const { PluginInfo } = require("${modules}/@pulumi/pulumi/proto/plugin_pb");
    const server = new grpc.Server();
    for (const service of ["ResourceProvider", "LanguageRuntime"]) {
      server.addService(
        { getPluginInfo: {
          path: "/pulumirpc." + service + "/GetPluginInfo",
          requestStream: false, responseStream: false,
          requestDeserialize: (bytes) => bytes,
          responseSerialize: (info) => Buffer.from(info.serializeBinary()),
        } },
        { getPluginInfo: (call, answer) => {
          const info = new PluginInfo();
          info.setVersion("${version}");
          answer(null, info);
        } },
      );
    }
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(),
      (error, port) => console.log(port));`;
}
