import { spawn } from "node:child_process";
import { once } from "node:events";
import type { ServerWritableStream } from "@grpc/grpc-js";
import {
  InstallDependenciesResponse,
  type InstallDependenciesRequest,
} from "@pulumi/pulumi/proto/language_pb";
import { runtimeOptions } from "./runtime-options";

/**
 * `pulumi install`: npm's, its output streamed to the engine.
 *
 * @throws Error when another package manager is asked for, or npm fails.
 */
export async function installDependencies(
  call: ServerWritableStream<InstallDependenciesRequest, InstallDependenciesResponse>,
): Promise<void> {
  const info = call.request.getInfo();
  const { packagemanager } = runtimeOptions(info?.getOptions());
  if (packagemanager !== "auto" && packagemanager !== "npm") {
    throw new Error(
      `The stand-in for the Node language host installs with npm, not with ${packagemanager}.`,
    );
  }
  const npm = spawn("npm", ["install", "--loglevel=error"], {
    cwd: info?.getProgramDirectory() ?? call.request.getDirectory(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  call.on("cancelled", () => npm.kill());
  npm.stdout.on("data", (output: Buffer) => {
    const message = new InstallDependenciesResponse();
    message.setStdout(output);
    call.write(message);
  });
  npm.stderr.on("data", (output: Buffer) => {
    const message = new InstallDependenciesResponse();
    message.setStderr(output);
    call.write(message);
  });
  const [code] = (await once(npm, "close")) as [number | null];
  if (code !== 0) throw new Error(`npm install failed with exit code ${code ?? -1}`);
}
