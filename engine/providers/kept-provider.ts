import { setTimeout as delay } from "node:timers/promises";
import {
  endWhenHanging,
  startProvider,
  type ProviderCommand,
  type ProviderProcess,
} from "./provider-process";
import { Wear, type WearLimits } from "./wear";

/** How one provider is kept. */
export interface KeepingOptions {
  /** After how many ms a provider that names no port counts as one that does not start. */
  readonly startsWithinMs: number;
  /** After how many ms a provider that does not answer counts as hung. */
  readonly hangsAfter: number;
  readonly wear: WearLimits;
  readonly report: (line: string) => void;
}

/** A process of a provider, for the runs that have it. */
export interface Serving {
  readonly process: ProviderProcess;
  /** Whether it still runs, and may be given to a run: it is neither dead nor abandoned. */
  readonly isFresh: () => boolean;
  /** Whether another process serves new runs in its place. */
  readonly isRelieved: () => boolean;
  /**
   * Tells that a run that had it is over.
   *
   * @param abandoned Whether it left work behind: then the process ends with the last of its runs.
   */
  readonly release: (run: object, abandoned: boolean) => void;
}

/** One provider, whichever process serves it just now. */
export class KeptProvider {
  /** Why none runs; undefined while one runs, or is being started for the first time. */
  fault: string | undefined;
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

  /**
   * Gives a run the process that serves.
   *
   * @param patience How long to wait for one that is being started, in ms.
   * @returns undefined when there is none by then.
   */
  async lease(run: object, patience: number): Promise<Serving | undefined> {
    // One that did not start is tried again, for long perhaps.
    if (this.serving === undefined && this.fault === undefined) {
      await Promise.race([this.starting, delay(patience, undefined, { ref: false })]);
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

  /** Ends every process of it, one that is being started too. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all([this.starting, this.relieving]);
    for (const { end } of this.processes) end();
    await Promise.all([...this.processes].map(({ ended }) => ended));
  }

  /** @param pause How long it is left alone first, in ms. */
  private async start(pause: number): Promise<void> {
    const { signal } = this.stopping;
    await delay(pause, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const process = await this.launch();
      this.fault = undefined;
      this.serve(process, pause);
    } catch (error) {
      if (this.stopping.signal.aborted) return;
      const fault = this.faultOf(error);
      if (fault !== this.fault) this.options.report(fault);
      this.fault = fault;
      // Not awaited: who waits for this start learns now that it came to nothing.
      this.starting = this.start(longer(pause));
    }
  }

  /** Has a new process ready before the worn one is given up, which ends with the last of its runs. */
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
      this.options.report(`${this.faultOf(error)}: the one that was to be replaced stays`);
    }
  }

  private async launch(): Promise<ProviderProcess> {
    const { startsWithinMs, hangsAfter } = this.options;
    const { signal } = this.stopping;
    const process = await startProvider(this.command, { startsWithinMs, signal });
    this.processes.add(process);
    void process.ended.then(() => this.processes.delete(process));
    void endWhenHanging(process, hangsAfter);
    return process;
  }

  private serve(process: ProviderProcess, pause: number): void {
    const began = performance.now();
    const wear = new Wear(process.pid, this.options.wear);
    const server: Server = { process, wear, users: new Set(), fresh: true, relieved: false };
    this.serving = server;
    void process.ended.then((words) => {
      server.fresh = false;
      if (this.serving !== server || this.stopping.signal.aborted) return;
      this.options.report(`provider ${process.name} ${words}: it is started again`);
      // One that ends as soon as it runs must not take all of the machine.
      this.replace(server, performance.now() - began > 10_000 ? 0 : longer(pause));
    });
  }

  private replace(server: Server, pause: number): void {
    if (this.serving !== server) return;
    this.serving = undefined;
    this.starting = this.start(pause);
  }

  private faultOf(error: unknown): string {
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

function longer(pause: number): number {
  return Math.min(Math.max(pause * 2, 100), 5_000);
}
