import type { KeptProviders, ProviderLease } from "../../engine/providers/kept-providers";
import type { RunRequest } from "./engine-runs";
import type { HostEnd, HostProcess } from "./host-process";
import type { StepEvent } from "./steps";
import type { UpStart } from "./up";

/** What a run is begun with, and where its host goes when it has ended. */
export interface LeasedRunParts {
  readonly host: HostProcess;
  readonly giveHost: (host: HostProcess) => void;
  /** Undefined to have each engine start its own. */
  readonly providers: KeptProviders | undefined;
}

/** An engine run that was begun: it has a host, and the providers that it attaches to. */
export class LeasedRun {
  private constructor(
    private readonly parts: LeasedRunParts,
    private readonly lease: ProviderLease | undefined,
  ) {}

  /**
   * Begins a run.
   *
   * @throws Error when no host starts. The host and the providers are given back by then.
   */
  static async begin(parts: LeasedRunParts, start: Omit<UpStart, "attach">): Promise<LeasedRun> {
    const lease = await parts.providers?.lease();
    const run = new LeasedRun(parts, lease);
    try {
      await parts.host.begin({ ...start, attach: lease?.attach ?? "" });
    } catch (error) {
      run.giveBack(false);
      throw error;
    }
    return run;
  }

  /** Whether the providers that it attached to are still the ones to attach to. */
  isFresh(): boolean {
    return this.lease?.isFresh() !== false;
  }

  /** Whether a provider that it attached to has a successor, and ends with the last run that has it. */
  isRelieved(): boolean {
    return this.lease?.isRelieved() === true;
  }

  /** Gives it what its stack is to hold, or nothing, and waits for its end. Never rejects. */
  async finish(
    request: RunRequest | undefined,
    onStep?: (event: StepEvent) => void,
  ): Promise<HostEnd> {
    const end = await this.parts.host.finish(request, onStep);
    this.giveBack(end.late);
    return end;
  }

  /** Kills it with its host. */
  kill(): void {
    this.parts.host.kill();
  }

  private giveBack(wasLate: boolean): void {
    this.lease?.release(wasLate);
    this.parts.giveHost(this.parts.host);
  }
}
