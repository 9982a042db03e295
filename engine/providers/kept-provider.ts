import { setTimeout as delay } from "node:timers/promises";
import {
  endWhenHanging,
  startProvider,
  type ProviderCommand,
  type ProviderProcess,
} from "./provider-process";
import { Wear, type WearLimits } from "./wear";

/** How one provider is kept running. */
export interface KeepingOptions {
  /** How long a provider may take to name its port. Then it counts as one that does not start. */
  readonly startTimeoutMs: number;
  /** How long a provider may take to answer. Then it counts as hung, and is ended. */
  readonly hangTimeoutMs: number;
  readonly wear: WearLimits;
  readonly report: (line: string) => void;
}

/** A process of a provider, as an engine run has it. */
export interface Serving {
  readonly process: ProviderProcess;
  /** Whether it still runs, and no run has left unfinished calls in it. */
  readonly isFresh: () => boolean;
  /** Whether another process serves new runs in its place. */
  readonly isRelieved: () => boolean;
  /**
   * Notes that a run that had it is over.
   *
   * @param abandoned Whether the run may have left unfinished calls in it. Then no further run gets the
   * process, and it is ended after the last run that has it.
   */
  readonly release: (run: object, abandoned: boolean) => void;
}

/**
 * One provider that is kept running. Over time several processes serve it: a new one is started when the
 * last one has ended, hangs, or has grown too large.
 */
export class KeptProvider {
  /** Why no process runs; undefined while one runs, or is being started for the first time. */
  problem: string | undefined;
  private serving: Server | undefined;
  private starting: Promise<void>;
  private relieving: Promise<void> | undefined;
  private readonly processes = new Set<ProviderProcess>();
  private readonly stopping = new AbortController();

  constructor(
    private readonly command: ProviderCommand,
    private readonly options: KeepingOptions,
  ) {
    this.starting = this.start(0);
  }

  /** Whether a process is just being started, and neither serves nor has failed to start. */
  get isStarting(): boolean {
    return this.serving === undefined && this.problem === undefined;
  }

  /**
   * Gives an engine run the process that serves now, and counts the run as one of its users.
   *
   * @param timeoutMs How long to wait for one that is just being started.
   * @returns undefined when there is none by then.
   */
  async lease(run: object, timeoutMs: number): Promise<Serving | undefined> {
    // After a failed start the next ones may fail for hours, so nobody waits for those.
    if (this.isStarting) {
      await Promise.race([this.starting, delay(timeoutMs, undefined, { ref: false })]);
    }
    const { serving } = this;
    if (serving === undefined) return undefined;
    serving.users.add(run);
    serving.wear.count();
    if (serving.wear.isOver()) {
      this.relieving ??= this.relieve(serving).finally(() => (this.relieving = undefined));
    }
    return {
      process: serving.process,
      isFresh: () => serving.fresh,
      isRelieved: () => serving.relieved,
      release: (which, abandoned) => {
        serving.users.delete(which);
        if (abandoned) {
          serving.fresh = false;
          this.replace(serving, 0);
        }
        endUnused(serving);
      },
    };
  }

  /** Ends all its processes, also one that is just being started. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all([this.starting, this.relieving]);
    for (const { end } of this.processes) end();
    await Promise.all([...this.processes].map(({ ended }) => ended));
  }

  /** Starts a process, again and again until one runs. @param pauseMs How long to wait first. */
  private async start(pauseMs: number): Promise<void> {
    const { signal } = this.stopping;
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const process = await this.launch();
      this.problem = undefined;
      this.serve(process, pauseMs);
    } catch (error) {
      if (this.stopping.signal.aborted) return;
      const problem = this.problemOf(error);
      if (problem !== this.problem) this.options.report(problem);
      this.problem = problem;
      // Not awaited, so that a run that waits for this start goes on now, without this provider.
      this.starting = this.start(longer(pauseMs));
    }
  }

  /**
   * Starts a new process, and lets it serve all further runs once it is ready. The worn one ends after the
   * last run that has it.
   */
  private async relieve(worn: Server): Promise<void> {
    try {
      const process = await this.launch();
      if (this.serving !== worn) {
        process.end();
        return;
      }
      this.serve(process, 0);
      worn.relieved = true;
      endUnused(worn);
    } catch (error) {
      worn.wear.reset();
      if (this.stopping.signal.aborted) return;
      this.options.report(`${this.problemOf(error)}: the one that was to be replaced stays`);
    }
  }

  private async launch(): Promise<ProviderProcess> {
    const { startTimeoutMs, hangTimeoutMs } = this.options;
    const { signal } = this.stopping;
    const process = await startProvider(this.command, { startTimeoutMs, signal });
    this.processes.add(process);
    void process.ended.then(() => this.processes.delete(process));
    void endWhenHanging(process, hangTimeoutMs);
    return process;
  }

  private serve(process: ProviderProcess, pauseMs: number): void {
    const began = performance.now();
    const wear = new Wear(process.pid, this.options.wear);
    const server: Server = { process, wear, users: new Set(), fresh: true, relieved: false };
    this.serving = server;
    void process.ended.then((words) => {
      server.fresh = false;
      if (this.serving !== server || this.stopping.signal.aborted) return;
      this.options.report(`provider ${process.name} ${words}: it is started again`);
      // A provider that ends as soon as it runs is started at longer and longer intervals, or these
      // starts would take all of the processor.
      this.replace(server, performance.now() - began > 10_000 ? 0 : longer(pauseMs));
    });
  }

  private replace(server: Server, pauseMs: number): void {
    if (this.serving !== server) return;
    this.serving = undefined;
    this.starting = this.start(pauseMs);
  }

  private problemOf(error: unknown): string {
    return `provider ${this.command.name} ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** What is known of a process that serves, or served, engine runs. */
interface Server {
  readonly process: ProviderProcess;
  readonly wear: Wear;
  /** The runs that have it. */
  readonly users: Set<object>;
  fresh: boolean;
  relieved: boolean;
}

function endUnused({ process, users, fresh, relieved }: Server): void {
  if ((!fresh || relieved) && users.size === 0) process.end();
}

/** The pause before the next start, in ms: twice the last one, from 0.1 to 5 seconds. */
function longer(pauseMs: number): number {
  return Math.min(Math.max(pauseMs * 2, 100), 5_000);
}
