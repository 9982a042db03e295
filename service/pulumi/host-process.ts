import { rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pool, type Pool } from "workerpool";
import type { RunOutcome, RunRequest } from "./engine-runs";
import { outcomeOfEnd } from "./outcomes";
import { endFollowers, killGroup } from "../system/processes";
import type { StepEvent } from "./steps";
import type { UpStart } from "./up";
import { makeWorkDir } from "./work-dir";

/** What a program host is started with. */
export interface HostSettings {
  /** The environment of the host, and so of the CLI and the plugins that it starts. */
  readonly env: NodeJS.ProcessEnv;
  /** The script that the host runs. Default: host.js. Tests give one that misbehaves. */
  readonly program?: string;
  /** After how many runs the host's process is replaced, because each run leaves 0.3 MB behind. Default: 200. */
  readonly runsEach?: number;
  /** How long a run may work for its tenants before it counts as hung and is killed. Default: ten minutes. */
  readonly timeoutMs?: number;
  /** How long a host may take to start and begin a run before it is replaced. Default: a minute. */
  readonly beginTimeoutMs?: number;
  /** How much heap the host's process may have. Default: 512. */
  readonly memoryMb?: number;
}

/** How long the pool may take to report that a killed host has ended. */
const END_REPORT_MS = 5_000;

/** How a run ended in its host. */
export interface HostEnd {
  readonly outcome: RunOutcome;
  /** Whether the program had got its tenants, and so may have changed something. */
  readonly reached: boolean;
  /** Whether it was killed because it took too long. */
  readonly late: boolean;
}

/**
 * One program host: a forked process that has one run at a time. Runs do not share a process, because one
 * unhandled rejection fails all inline programs of it, and worker threads hang. Each host is a pool of
 * exactly one process, so that `finish` reaches the process in which `begin` was called.
 */
export class HostProcess {
  private process: Pool;
  private runsLeft: number;
  private pid: number | undefined;
  private killed = false;
  private readonly retired: ReturnType<Pool["terminate"]>[] = [];

  constructor(
    private readonly settings: HostSettings,
    private readonly root: string,
  ) {
    this.process = this.fork();
    this.runsLeft = settings.runsEach ?? 200;
  }

  /** Begins a run. @throws Error when no host starts. */
  async begin(start: UpStart): Promise<void> {
    if (this.runsLeft-- <= 0) {
      this.retired.push(this.process.terminate());
      this.process = this.fork();
      this.runsLeft = (this.settings.runsEach ?? 200) - 1;
    }
    const { beginTimeoutMs = 60_000 } = this.settings;
    const begin = async () => {
      this.pid = (await this.ask("begin", start, beginTimeoutMs)) as number;
    };
    // If the process died while it was idle, the first call fails and has the pool replace it.
    await begin().catch(begin);
    if (this.killed) killGroup(this.pid);
  }

  /**
   * Gives the run its request, or none, with which it ends without changes, and waits for its end. Never
   * rejects.
   *
   * @param onStep Called with the progress of each step.
   */
  async finish(
    request: RunRequest | undefined,
    onStep: (event: StepEvent) => void = () => undefined,
  ): Promise<HostEnd> {
    const timeoutMs = request === undefined ? 10_000 : (this.settings.timeoutMs ?? 10 * 60_000);
    const { pid } = this;
    // Not by the pool's own time limit: after it, the pool would take the host for idle while the run goes on.
    const limit = { passed: false };
    const timer = setTimeout(() => {
      limit.passed = true;
      killGroup(pid);
    }, timeoutMs);
    let reached = false;
    let complaint = "";
    const on = (event: HostEvent) => {
      if (event.reached !== undefined) reached = true;
      if (event.step !== undefined) onStep(event.step);
      if (event.stderr !== undefined) complaint = (complaint + event.stderr).slice(-1_000);
    };
    try {
      const end = await this.ask("finish", request ?? null, timeoutMs + END_REPORT_MS, on);
      const outcome = (end as RunOutcome | undefined) ?? notBegun;
      // A program that failed may never end, and its listener would catch unhandled rejections of later runs, so
      // the process is replaced.
      if (outcome.result === "failed" || outcome.result === "interrupted") this.runsLeft = 0;
      return { outcome, reached, late: limit.passed };
    } catch (error) {
      // The pool replaces the killed process by itself.
      killGroup(pid);
      const outcome = limit.passed ? tooLate(timeoutMs) : outcomeOfEnd(error, complaint);
      return { outcome, reached, late: limit.passed };
    } finally {
      clearTimeout(timer);
      this.pid = undefined;
      // A plugin or dbmate whose CLI was killed goes on by itself, and could still change the database.
      if (pid !== undefined) endFollowers(pid);
    }
  }

  /** Kills the host with the run that it has; a run that is being begun is killed once it has begun. */
  kill(): void {
    this.killed = true;
    killGroup(this.pid);
  }

  /** Ends the host's process, and waits for those that it had before. */
  async end(): Promise<void> {
    this.retired.push(this.process.terminate());
    await Promise.all(this.retired);
  }

  /**
   * Calls a method of the host. When the pool gives no answer within `limitMs`, the process is replaced.
   *
   * @throws Error of the pool, or that there was no answer.
   */
  private async ask(
    method: "begin" | "finish",
    argument: unknown,
    limitMs: number,
    on: (event: HostEvent) => void = () => undefined,
  ): Promise<unknown> {
    const answered = new AbortController();
    const lost = delay(limitMs, undefined, { ref: false, signal: answered.signal }).then(() => {
      // The pool never settles a call that waited for a process when that died.
      this.retired.push(this.process.terminate(true));
      this.process = this.fork();
      throw new Error(`no answer after ${limitMs / 1_000} s`);
    });
    try {
      return await Promise.race([this.process.exec(method, [argument], { on }), lost]);
    } finally {
      answered.abort();
    }
  }

  private fork(): Pool {
    const { env, program, memoryMb = 512 } = this.settings;
    return pool(program ?? path.join(__dirname, "host.js"), {
      workerType: "process",
      minWorkers: 1,
      maxWorkers: 1,
      emitStdStreams: true,
      // In a process group of its own, so that Ctrl-C in a terminal does not kill the run: the service decides.
      onCreateWorker: () => ({
        forkOpts: {
          env,
          cwd: makeWorkDir(this.root),
          detached: true,
          execArgv: [`--max-old-space-size=${memoryMb}`],
        },
      }),
      onTerminateWorker: ({ forkOpts }) => {
        rmSync((forkOpts as { cwd: string }).cwd, { recursive: true, force: true });
      },
    });
  }
}

interface HostEvent {
  readonly reached?: number;
  readonly step?: StepEvent;
  readonly stderr?: string;
}

const notBegun: RunOutcome = { result: "interrupted", faults: ["the program host was replaced"] };

function tooLate(timeoutMs: number): RunOutcome {
  return { result: "failed", faults: [`the run took longer than ${timeoutMs / 1_000} s`] };
}
