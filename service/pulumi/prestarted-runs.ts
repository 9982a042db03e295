import type { KeptProviders } from "../../engine/providers/kept-providers";
import type { StackRow, Stacks } from "./stacks/stacks";
import type { StepEvent } from "./steps";
import type { RunOutcome, RunRequest } from "./engine-runs";
import type { HostEnd, HostProcess } from "./host-process";
import { LeasedRun } from "./leased-run";

/** How long a run may wait before it is replaced: the credentials of its state backend may expire. */
const MAX_WAIT_MS = 15 * 60_000;

/**
 * The pause between two replacements of runs whose provider has been replaced by a newer process: beginning
 * a run takes a second of processor time, which operations that run meanwhile lack.
 */
const RELIEF_PAUSE_MS = 5_000;

/** What is needed to prestart runs. */
export interface PrestartedRunsSettings {
  /** How many runs are to wait. */
  readonly count: number;
  /** Gives an idle host; undefined where there is none. */
  readonly takeHost: () => HostProcess | undefined;
  /** Takes back a host that is idle again. */
  readonly giveHost: (host: HostProcess) => void;
  /** Undefined to have each engine start its own providers. */
  readonly providers: KeptProviders | undefined;
  readonly stacks: Stacks;
}

interface PrestartedRun {
  readonly run: LeasedRun;
  readonly stack: StackRow;
  /** When it was begun, by the monotonic clock, in ms. */
  readonly since: number;
}

/** Runs that were begun ahead, on spare stacks, and wait for a tenant. One that is used gives the tenant its stack. */
export class PrestartedRuns {
  private waiting: PrestartedRun[] = [];
  /** The names of the stacks of all runs that were begun and have neither ended nor got a tenant. */
  private readonly held = new Set<string>();
  private beginning: Promise<void> | undefined;
  private closed = false;
  /** When a run was last replaced because of its providers, by the monotonic clock, in ms. */
  private relievedAt = -Infinity;

  constructor(private readonly settings: PrestartedRunsSettings) {}

  /**
   * Gives the request to a run that waits, and waits for the run's end.
   *
   * @returns undefined when no run waits, or when the run ended before its program had the request. In the
   * second case the tenant has the run's stack already, so the caller must look its stack up again.
   * @throws DatabaseDownError
   */
  async use(request: RunRequest, onStep: (event: StepEvent) => void): Promise<HostEnd | undefined> {
    for (;;) {
      const prestarted = this.waiting.shift();
      if (prestarted === undefined) return undefined;
      if (!isFresh(prestarted) || !(await this.take(prestarted, request))) {
        await this.endUnused(prestarted);
        continue;
      }
      this.held.delete(prestarted.stack.name);
      const end = await prestarted.run.finish(request, onStep);
      return end.reached || end.late ? end : undefined;
    }
  }

  /** Ends runs that are too old, and begins new ones as long as there are idle hosts and spare stacks. */
  keepUp(): Promise<void> {
    this.beginning ??= this.renew().finally(() => (this.beginning = undefined));
    return this.beginning;
  }

  /** Ends all runs: without changes, or by killing them now. */
  async close(when: "finished" | "now"): Promise<void> {
    this.closed = true;
    if (when === "now") for (const { run } of this.waiting) run.kill();
    await this.beginning?.catch(() => undefined);
    await Promise.all(this.waiting.splice(0).map((run) => this.endUnused(run)));
  }

  /** @throws DatabaseDownError, with the run ended: whether the tenant was given its stack is not known then. */
  private async take(prestarted: PrestartedRun, { tenantId }: RunRequest): Promise<boolean> {
    try {
      return await this.settings.stacks.takePrestarted(prestarted.stack.name, tenantId);
    } catch (error) {
      await this.endUnused(prestarted);
      throw error;
    }
  }

  private async renew(): Promise<void> {
    const old = this.waiting.filter((run) => !isFresh(run));
    // Before the first await: a request that comes meanwhile must not be given a run that is being ended.
    this.waiting = this.waiting.filter(isFresh);
    for (const run of old) await this.endUnused(run);
    const { count, takeHost, giveHost, providers, stacks } = this.settings;
    // Stacks stay reserved that were reserved, or whose run ended, while the database did not answer.
    await stacks.returnAllBut([...this.held]).catch(() => undefined);
    // First one run more, then the old one ended: a request that comes meanwhile finds as many as ever.
    const wanted = count + (this.oneToRelieve() === undefined ? 0 : 1);
    while (!this.closed && this.waiting.length < wanted && providers?.areStarting() !== true) {
      const host = takeHost();
      if (host === undefined) break;
      const stack = await stacks.reserve().catch(() => undefined);
      if (stack === undefined) {
        giveHost(host);
        break;
      }
      this.held.add(stack.name);
      const since = performance.now();
      const start = { stack: stack.name, settings: stack.settings, refresh: false };
      await LeasedRun.begin({ host, giveHost, providers }, start).then(
        (run) => this.waiting.push({ run, stack, since }),
        () => this.settle(stack, "failed"),
      );
    }
    if (this.waiting.length > count) await this.relieve();
  }

  private oneToRelieve(): PrestartedRun | undefined {
    if (performance.now() - this.relievedAt < RELIEF_PAUSE_MS) return undefined;
    return this.waiting.find(({ run }) => run.isRelieved());
  }

  /** Ends a run whose provider was replaced by a newer process: the old process runs until no run holds it. */
  private async relieve(): Promise<void> {
    const run = this.oneToRelieve();
    if (run === undefined) return;
    this.relievedAt = performance.now();
    this.waiting = this.waiting.filter((other) => other !== run);
    await this.endUnused(run);
  }

  /** Ends a run that got no tenant. Its stack becomes spare again, or is removed if the run failed. */
  private async endUnused({ run, stack }: PrestartedRun): Promise<void> {
    const { outcome } = await run.finish(undefined);
    await this.settle(stack, outcome.result);
  }

  private async settle(stack: StackRow, result: RunOutcome["result"]): Promise<void> {
    const { stacks } = this.settings;
    const settle = result === "succeeded" ? stacks.returnPrestarted : stacks.giveUp;
    await settle(stack.name).catch(() => undefined);
    this.held.delete(stack.name);
  }
}

function isFresh({ run, since }: PrestartedRun): boolean {
  return performance.now() - since < MAX_WAIT_MS && run.isFresh();
}
