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
  /** What it runs; a test gives one that misbehaves. */
  readonly program?: string;
  /** After how many runs its process is replaced: an inline run leaves 0.3 MB behind. */
  readonly runsEach?: number;
  /** After how many ms with a tenant a run counts as hung and is killed. */
  readonly timeoutMs?: number;
  /** After how many ms a host that does not begin a run, its start included, is replaced. */
  readonly beginTimeoutMs?: number;
  /** What its program may have at most, in MB. */
  readonly memoryMb?: number;
}

/** How long the end of a host that was killed may take to be told, in ms. */
const END_REPORT_MS = 5_000;

/** How a run ended, and whether it had begun to work for its tenant. */
export interface HostEnd {
  readonly outcome: RunOutcome;
  readonly reached: boolean;
  /** Whether it was killed for the time it took. */
  readonly late: boolean;
}

/**
 * One program host: a forked process, because one stray rejection fails all the inline programs of a
 * process, and because worker threads hang in them. It is a pool of one, so that the run which was
 * begun in it can be given its tenant later.
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
    // One that died idle is found out, and replaced, by the first that it is asked.
    await begin().catch(begin);
    if (this.killed) killGroup(this.pid);
  }

  /**
   * Gives the run what its stack is to hold, or nothing, and waits for its end. Never rejects.
   *
   * @param onStep Told how far it is.
   */
  async finish(
    request: RunRequest | undefined,
    onStep: (event: StepEvent) => void = () => undefined,
  ): Promise<HostEnd> {
    const timeoutMs = request === undefined ? 10_000 : (this.settings.timeoutMs ?? 10 * 60_000);
    const { pid } = this;
    // The pool cannot stop a run itself: it would take the host for one that is free.
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
      // A program that failed may never end, and listens for the stray rejections of those after it.
      if (outcome.result === "failed" || outcome.result === "interrupted") this.runsLeft = 0;
      return { outcome, reached, late: limit.passed };
    } catch (error) {
      // It is replaced by its pool.
      killGroup(pid);
      const outcome = limit.passed ? tooLate(timeoutMs) : outcomeOfEnd(error, complaint);
      return { outcome, reached, late: limit.passed };
    } finally {
      clearTimeout(timer);
      this.pid = undefined;
      // What outlives its run works for nobody: a plugin, or dbmate, whose CLI was killed.
      if (pid !== undefined) endFollowers(pid);
    }
  }

  /** Kills it, with the run that it has, or that it is about to begin. */
  kill(): void {
    this.killed = true;
    killGroup(this.pid);
  }

  /** Ends it. */
  async end(): Promise<void> {
    this.retired.push(this.process.terminate());
    await Promise.all(this.retired);
  }

  /** Asks the host, or another one in its place when the pool does not answer in time. */
  private async ask(
    method: "begin" | "finish",
    argument: unknown,
    limit: number,
    on: (event: HostEvent) => void = () => undefined,
  ): Promise<unknown> {
    const answered = new AbortController();
    const lost = delay(limit, undefined, { ref: false, signal: answered.signal }).then(() => {
      // A pool never answers what was waiting for a host when that died.
      this.retired.push(this.process.terminate(true));
      this.process = this.fork();
      throw new Error(`no answer after ${limit / 1_000} s`);
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
      // A group of its own: Ctrl-C in a terminal must not reach the running set-ups.
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
