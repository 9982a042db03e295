import type { KeptProviders, ProviderLease } from "../../engine/providers/kept-providers";
import type { RunRequest } from "./engine-runs";
import type { HostEnd, HostProcess } from "./host-process";
import type { StepEvent } from "./steps";
import type { UpStart } from "./up";

/** What a run is begun with. */
export interface LeasedRunParts {
  readonly host: HostProcess;
  /** Called with the host when the run has ended and the host is idle again. */
  readonly giveHost: (host: HostProcess) => void;
  /** Undefined to have each engine start its own providers. */
  readonly providers: KeptProviders | undefined;
}

/** An engine run that was begun, with the host and the lease of providers that it holds until it ends. */
export class LeasedRun {
  private constructor(
    private readonly parts: LeasedRunParts,
    private readonly lease: ProviderLease | undefined,
  ) {}

  /**
   * Begins a run.
   *
   * @throws Error when no host starts. The host and the lease are given back before.
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

  /** Whether the providers that it attached to still run. */
  isFresh(): boolean {
    return this.lease?.isFresh() !== false;
  }

  /** Whether a newer process has replaced one of its providers; the old one runs until its last run has ended. */
  isRelieved(): boolean {
    return this.lease?.isRelieved() === true;
  }

  /** Gives it its request, or none, with which it ends without changes, and waits for its end. Never rejects. */
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
