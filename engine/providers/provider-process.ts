import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { attach, pluginInfo } from "../system/plugin-client";

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
  /** Resolves when it has ended, with its exit code or signal and the last line of its error output. */
  readonly ended: Promise<string>;
  readonly end: () => void;
}

/** How long a provider may take to start, and the signal that gives the start up before. */
export interface StartLimits {
  readonly startTimeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Starts a provider by itself, without an engine, for engines to attach to. It ends with this process: its
 * standard input is a pipe from here, which the kernel closes then.
 *
 * @throws Error when it names no port or lets no engine attach to it in time; the message ends with the
 * last line of its error output.
 */
export async function startProvider(
  { name, command, args, env, cwd }: ProviderCommand,
  { startTimeoutMs, signal }: StartLimits,
): Promise<ProviderProcess> {
  // In a process group of its own, a Ctrl-C in the terminal does not cut off what it is doing.
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
  const late = () => `${lacking} in ${startTimeoutMs / 1_000} s ${lastLine(said)}`.trim();
  const problem = await Promise.race([
    port.then(attach).then(() => undefined, reason),
    ended,
    delay(startTimeoutMs, undefined, { ref: false, signal }).then(late, () => "is not needed"),
  ]);
  if (problem === undefined) return { name, port: await port, pid, ended, end };
  end();
  throw new Error(problem);
}

/**
 * How late the end of a time limit may be noticed. Where it is noticed later, this process did not run: it was
 * stopped with its machine, or had no processor. An answer may have come meanwhile and lie unread.
 */
const NOTICED_LATE_MS = 500;

/**
 * Asks a provider for its version again and again, for as long as it runs, and kills it when it does not
 * answer in time.
 *
 * @param timeoutMs How long it may take to answer; also the pause between an answer and the next question.
 */
export async function endWhenHanging(provider: ProviderProcess, timeoutMs: number): Promise<void> {
  const over = new AbortController();
  void provider.ended.then(() => over.abort());
  while (!over.signal.aborted) {
    await delay(timeoutMs, undefined, { signal: over.signal, ref: false }).catch(() => undefined);
    const asked = performance.now();
    await pluginInfo(provider.port, "ResourceProvider", timeoutMs).catch(() => {
      if (performance.now() - asked < timeoutMs + NOTICED_LATE_MS) provider.end();
    });
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
