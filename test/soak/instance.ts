import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const main = path.resolve(__dirname, "../../service/main.js");

/** How often a start is tried; it fails while the database is down, or when its CLI is killed. */
const STARTS = 60;

/** One instance of the service, which is started again whenever it ends. */
export class Instance {
  /** Every process that it was. */
  readonly pids: number[] = [];
  /** What it did that nobody made it do. */
  readonly faults: string[] = [];
  /** How many starts failed. */
  failedStarts = 0;
  private child: ChildProcess | undefined;
  private address: string | undefined;
  private starting: Promise<void> | undefined;
  private restarting: Promise<void> | undefined;
  private goingDown: ChildProcess | undefined;
  private closing = false;

  /** @param log the file that what it writes is added to */
  constructor(
    readonly name: string,
    private readonly env: Readonly<Record<string, string | undefined>>,
    readonly log: string,
  ) {}

  /** Where it serves; undefined while it does not. */
  get url(): string | undefined {
    return this.address;
  }

  /** The process that it is now; undefined while there is none. */
  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Resolves when it serves. @throws when it cannot be started. */
  start(): Promise<void> {
    this.starting ??= this.tryToStart().finally(() => (this.starting = undefined));
    return this.starting;
  }

  /**
   * Ends it, as a deployment does (SIGTERM) or the kernel (SIGKILL), and starts it again. One that is
   * on its way down is not started twice, but may be killed at that.
   *
   * @param away In ms.
   */
  restart(signal: "SIGTERM" | "SIGKILL", away: number): Promise<void> {
    if (signal === "SIGKILL") this.goingDown?.kill(signal);
    this.restarting ??= this.restartOnce(signal, away).finally(() => (this.restarting = undefined));
    return this.restarting;
  }

  /** Stops its process for so many ms, as a machine does that has no time for it. */
  async pause(ms: number): Promise<boolean> {
    // Another process may have taken its place when it goes on.
    const { child } = this;
    if (child?.kill("SIGSTOP") !== true) return false;
    await delay(ms);
    return child.kill("SIGCONT");
  }

  /** Ends it for good. */
  async close(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.closing = true;
    await this.end(signal);
    await Promise.allSettled([this.starting, this.restarting]);
  }

  private async restartOnce(signal: "SIGTERM" | "SIGKILL", away: number): Promise<void> {
    await this.end(signal);
    await delay(away);
    if (!this.closing) await this.start();
  }

  /** One that serves must end well, unless it is killed. */
  private async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const { child, address } = this;
    this.address = undefined;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    this.child = undefined;
    this.goingDown = child;
    const ended = once(child, "exit");
    child.kill(signal);
    const [code, by] = (await ended) as [number | null, string | null];
    this.goingDown = undefined;
    if (address === undefined || code === 0 || by === "SIGKILL") return;
    this.faults.push(`stopped with ${by ?? String(code)}`);
  }

  private async tryToStart(): Promise<void> {
    for (let tries = STARTS; tries > 0 && !this.closing; tries -= 1) {
      if (await this.startOnce()) return;
      this.failedStarts += 1;
      await delay(500);
    }
    if (!this.closing) throw new Error(`${this.name} does not start: see ${this.log}`);
  }

  private async startOnce(): Promise<boolean> {
    const child = spawn(process.execPath, [main], {
      env: this.env,
      // By the channel it ends when this process is gone; a terminal's Ctrl-C is not for it.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      detached: true,
    });
    this.child = child;
    if (child.pid !== undefined) this.pids.push(child.pid);
    const ended = once(child, "exit").then(([code]: unknown[]) => code);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => this.keep(chunk));
    }
    const address = await Promise.race([listening(child), ended.then(() => undefined)]);
    if (address === undefined || this.child !== child) return this.child !== child;
    this.address = address;
    void ended.then((code) => this.hasEnded(child, code));
    return true;
  }

  private keep(said: Buffer): void {
    if (existsSync(path.dirname(this.log))) appendFileSync(this.log, said);
  }

  private hasEnded(child: ChildProcess, code: unknown): void {
    if (this.child !== child) return;
    this.child = undefined;
    this.address = undefined;
    this.faults.push(`${this.name} ended by itself, with ${String(code)}`);
    if (!this.closing) void this.start().catch(() => undefined);
  }
}

/** Resolves with the address when the service says that it listens. */
function listening({ stdout }: ChildProcess): Promise<string> {
  let said = "";
  return new Promise((resolve) => {
    const read = (chunk: Buffer) => {
      said += chunk.toString();
      const address = /"address":"(http[^"]+)"/.exec(said)?.[1];
      if (address === undefined) return;
      stdout?.off("data", read);
      resolve(address);
    };
    stdout?.on("data", read);
  });
}
