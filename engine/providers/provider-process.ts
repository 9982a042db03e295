import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { attach, pluginInfo } from "../obtain/plugin-process";

/** What a provider's process is started with. */
export interface ProviderCommand {
  /** The package whose resources it serves, as PULUMI_DEBUG_PROVIDERS names it. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

/** A provider that runs and answers on a port of 127.0.0.1. */
export interface ProviderProcess {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves with the last it said when it has ended. */
  readonly ended: Promise<string>;
  readonly end: () => void;
}

/** How long a provider may take to start, and what cuts that short. */
export interface StartLimits {
  readonly startsWithinMs: number;
  readonly signal: AbortSignal;
}

/**
 * Starts a provider alone, for engines to attach to. It ends with this process: the kernel then closes
 * its standard input.
 *
 * @throws Error with the last it said, when it names no port or lets no engine attach to it in time.
 */
export async function startProvider(
  { name, command, args, env, cwd }: ProviderCommand,
  { startsWithinMs, signal }: StartLimits,
): Promise<ProviderProcess> {
  // A group of its own: a Ctrl-C in a terminal must not reach what it is doing.
  const child = spawn(command, args, { env, cwd, stdio: "pipe", detached: true });
  const { pid = 0 } = child;
  const end = () => endGroup(pid);
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-1_000)));
  child.stdin.on("error", () => undefined);
  const ended = once(child, "close").then(
    ([code, signal]) => `ended with ${String(signal ?? code)} ${lastLine(said)}`.trim(),
    reason,
  );
  const lines = createInterface(child.stdout);
  let lacking = "names no port";
  const port = new Promise<number>((resolve) => {
    lines.on("line", (line) => {
      if (!/^\d+$/.test(line)) return;
      lacking = "lets no engine attach to it";
      resolve(Number(line));
    });
  });
  const late = () => `${lacking} in ${startsWithinMs / 1_000} s ${lastLine(said)}`.trim();
  const fault = await Promise.race([
    port.then(attach).then(() => undefined, reason),
    ended,
    delay(startsWithinMs, undefined, { ref: false, signal }).then(late, () => "is not needed"),
  ]);
  if (fault === undefined) return { name, port: await port, pid, ended, end };
  end();
  throw new Error(fault);
}

/**
 * Asks a provider again and again whether it is there, and ends one that does not answer: it hangs.
 *
 * @param patience How long it may take to answer, and how long it is left alone after that, in ms.
 */
export async function endWhenHanging(provider: ProviderProcess, patience: number): Promise<void> {
  const over = new AbortController();
  void provider.ended.then(() => over.abort());
  while (!over.signal.aborted) {
    await delay(patience, undefined, { signal: over.signal, ref: false }).catch(() => undefined);
    await pluginInfo(provider.port, "ResourceProvider", patience).catch(() => provider.end());
  }
}

const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));

function endGroup(leader: number): void {
  try {
    if (leader > 0) process.kill(-leader, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
