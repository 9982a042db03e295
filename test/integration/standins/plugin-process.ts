import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { join } from "node:path";

/** A stand-in in a process of its own, started as the engine starts one. */
export interface PluginProcess {
  readonly address: string;
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  stop(): Promise<void>;
}

/**
 * The path of a built stand-in.
 *
 * @param script below the folder of the stand-ins, e.g. "postgresql/main.js".
 */
export function scriptPath(script: string): string {
  return join(__dirname, "../../../engine/standins", script);
}

/** Starts a stand-in and waits for the port that it prints. */
export async function startPlugin(
  script: string,
  env: Readonly<Record<string, string>> = {},
): Promise<PluginProcess> {
  const child = spawn(process.execPath, [scriptPath(script)], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  const [port] = (await once(createInterface(child.stdout), "line")) as [string];
  return {
    address: `127.0.0.1:${port}`,
    child,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGINT");
      await once(child, "exit");
    },
  };
}
