import type { KeptProviders } from "../../engine/providers/kept-providers";
import type { StackRow, Stacks } from "./stacks";
import type { StepEvent } from "./steps";
import type { RunOutcome, RunRequest } from "./engine-runs";
import type { HostEnd, HostProcess } from "./host-process";
import { LeasedRun } from "./leased-run";

/** After how long a run that waits is begun anew, in ms: a backend's credentials end some time. */
const MAX_WAIT_MS = 15 * 60_000;

/**
 * How long one that still holds a provider which another has relieved stays alone, in ms, before the
 * next such one is begun anew: beginning one takes a second of processor time from the set-ups.
 */
const RELIEF_PAUSE_MS = 5_000;

/** What runs are prestarted with. */
export interface PrestartedRunsSettings {
  /** How many are to wait. */
  readonly count: number;
  /** A host that has nothing to do, if there is one. */
  readonly takeHost: () => HostProcess | undefined;
  readonly giveHost: (host: HostProcess) => void;
  readonly providers: KeptProviders | undefined;
  readonly stacks: Stacks;
}

interface PrestartedRun {
  readonly run: LeasedRun;
  readonly stack: StackRow;
  /** By the clock that never jumps. */
  readonly since: number;
}

/** Runs that were begun ahead, on spare stacks, and wait for a tenant. */
export class PrestartedRuns {
  private waiting: PrestartedRun[] = [];
  /** The names of the stacks of all that were begun, and have neither ended nor got a tenant. */
  private readonly held = new Set<string>();
  private beginning: Promise<void> | undefined;
  private closed = false;
  /** When one was last begun anew for the providers that it held. */
  private relievedAt = -Infinity;

  constructor(private readonly settings: PrestartedRunsSettings) {}

  /**
   * Gives the tenant a run that waits.
   *
   * @returns undefined when there is none, or when it came to nothing: then the tenant may have a stack.
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

  /** Ends those that are old, and begins new ones on what spare stacks there are. */
  keepUp(): Promise<void> {
    this.beginning ??= this.renew().finally(() => (this.beginning = undefined));
    return this.beginning;
  }

  /** Ends all of them: well, or at once. */
  async close(when: "finished" | "now"): Promise<void> {
    this.closed = true;
    if (when === "now") for (const { run } of this.waiting) run.kill();
    await this.beginning?.catch(() => undefined);
    await Promise.all(this.waiting.splice(0).map((run) => this.endUnused(run)));
  }

  /** @throws DatabaseDownError, after the run was ended: whether the tenant has its stack is not known. */
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
    // At once: a set-up that comes meanwhile must not be given one that is being ended.
    this.waiting = this.waiting.filter(isFresh);
    for (const run of old) await this.endUnused(run);
    const { count, takeHost, giveHost, providers, stacks } = this.settings;
    // Those that were prestarted, or ended, when the database did not answer.
    await stacks.returnAllBut([...this.held]).catch(() => undefined);
    // One more, and only then an old one less: a set-up that comes meanwhile finds as many as ever.
    const wanted = count + (this.oneToRelieve() === undefined ? 0 : 1);
    while (!this.closed && this.waiting.length < wanted) {
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

  /** Ends one whose providers have been relieved, so that they can end. */
  private async relieve(): Promise<void> {
    const run = this.oneToRelieve();
    if (run === undefined) return;
    this.relievedAt = performance.now();
    this.waiting = this.waiting.filter((other) => other !== run);
    await this.endUnused(run);
  }

  /** Ends a run that got no tenant. Its stack is spare again, unless the run failed on it. */
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
