import { createRequire } from "node:module";
import { join } from "node:path";
import type { ProgramInfo, RunRequest } from "@pulumi/pulumi/proto/language_pb";
import { runtimeOptions } from "./runtime-options";

/** How to start a child process of node. */
export interface Command {
  /** The arguments of node. */
  readonly args: readonly string[];
  /** Variables on top of this process's own environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** How the language host reaches the engine. */
export interface EngineLink {
  readonly address: string;
  readonly tracing: string;
}

/** The SDK's launcher of programs. It is resolved from the program's folder: each program brings its own SDK. */
const RUN_MODULE = "@pulumi/pulumi/cmd/run";

/**
 * The command that runs a stack's program, with the arguments and variables that the SDK's
 * `cmd/run` takes from the official language host.
 *
 * @throws Error that says what is missing, or what the stand-in does not do.
 */
export function programCommand(request: RunRequest, engine: EngineLink): Command {
  if (request.getAttachDebugger()) {
    throw new Error("The stand-in for the Node language host attaches no debugger.");
  }
  const info = request.getInfo();
  if (info === undefined) throw new Error("the engine did not say which program to run");
  const { typescript, tsconfig, nodeargs } = runtimeOptions(info.getOptions());
  const flags = {
    monitor: request.getMonitorAddress(),
    engine: engine.address,
    organization: request.getOrganization(),
    project: request.getProject(),
    "root-directory": info.getRootDirectory(),
    stack: request.getStack(),
    pwd: info.getProgramDirectory(),
    parallel: String(request.getParallel()),
    tracing: engine.tracing,
  };
  return {
    args: [
      "--require",
      require.resolve("./inspect-workaround"),
      ...nodeargs,
      findRunModule(info),
      ...Object.entries(flags).flatMap(([key, value]) => (value ? [`--${key}`, value] : [])),
      ...(request.getDryrun() ? ["--dry-run"] : []),
      info.getEntryPoint() || ".",
      ...request.getArgsList(),
    ],
    env: {
      PULUMI_CONFIG: JSON.stringify(legacyConfig(request.getConfigMap().toObject())),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
      ...(typescript && { PULUMI_NODEJS_TYPESCRIPT: "true" }),
      ...(tsconfig && { PULUMI_NODEJS_TSCONFIG_PATH: tsconfig }),
    },
  };
}

function findRunModule(info: ProgramInfo): string {
  const module = process.env.PULUMI_LANGUAGE_NODEJS_RUN_PATH ?? RUN_MODULE;
  try {
    return createRequire(join(info.getProgramDirectory(), "index.js")).resolve(module);
  } catch (error) {
    throw new Error(
      "It looks like the Pulumi SDK has not been installed. Have you run pulumi install?",
      { cause: error },
    );
  }
}

/** Config keys as older SDKs read them, and newer ones still do: `project:config:key`. */
function legacyConfig(entries: readonly (readonly [string, string])[]): Record<string, string> {
  return Object.fromEntries(
    entries.map(([key, value]) => [key.replace(/^([^:]+):(?:config:)?/, "$1:config:"), value]),
  );
}
