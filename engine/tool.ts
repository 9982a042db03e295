import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Set-up cannot go on. The message is one line: what is wrong, and what to do about it. */
export class SetUpError extends Error {
  override readonly name = "SetUpError";
}

/** How a tool ended. */
export interface ToolRun {
  readonly ok: boolean;
  /** The last lines of both streams, at most a hundred. */
  readonly output: readonly string[];
}

export interface ToolOptions {
  /** The whole environment of the tool. */
  readonly environment?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Another account of the system to run as; needs root. */
  readonly account?: { readonly uid: number; readonly gid: number } | undefined;
  readonly onLine?: (line: string) => void;
  /** Ends the tool and everything that it started. */
  readonly signal?: AbortSignal;
}

/** Runs a tool to its end. A tool that cannot be started counts as failed, with the reason. */
export function runTool(
  command: string,
  args: readonly string[],
  { environment, cwd, account, onLine, signal }: ToolOptions = {},
): Promise<ToolRun> {
  const output: string[] = [];
  const keep = (line: string) => {
    output.push(line);
    if (output.length > 100) output.shift();
    onLine?.(line);
  };
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      env: environment,
      cwd,
      ...account,
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, so that it can be ended with its children.
      detached: true,
    });
    createInterface(child.stdout).on("line", keep);
    createInterface(child.stderr).on("line", keep);
    const end = () => endGroup(child);
    running.add(child);
    signal?.addEventListener("abort", end);
    const finish = (ok: boolean) => {
      running.delete(child);
      signal?.removeEventListener("abort", end);
      resolve({ ok, output });
    };
    child.on("error", (error) => {
      keep(error.message);
      finish(false);
    });
    child.on("close", (code) => finish(code === 0));
  });
}

/** Why a tool failed, in one line, from what it said. `directory` is where it wrote to. */
export function reasonOf(output: readonly string[], directory: string): string {
  if (output.some((line) => /no space left on device|ENOSPC/i.test(line))) {
    return `no space is left on the disk that holds ${directory}`;
  }
  const said = output.map((line) => line.trim()).filter((line) => line !== "");
  return said.at(-1) ?? "it gave no reason";
}

/** Tools that run now: they end with this process, unless it is killed. */
const running = new Set<ChildProcess>();
process.on("exit", () => running.forEach(endGroup));

/** Kills a process that was started in a group of its own, with all that it started. */
export function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended by itself in the meantime.
  }
}
