/**
 * How long the same signal is taken for a copy of itself, in ms. A process manager that signals the whole
 * group (systemd does) reaches this process at once, and again by the parent that passes it on.
 */
const COPY_MS = 1_000;

/** What was started, to be stopped in the reverse order, once, however many signals come. */
export class Shutdown {
  private readonly stops: (() => Promise<void>)[] = [];
  private readonly hurries: (() => void)[] = [];
  private ending: Promise<void> | undefined;
  private signals = 0;
  private readonly lastSignal = new Map<NodeJS.Signals, number>();

  /** @param complain Hears of what could not be stopped well. */
  constructor(private readonly complain: (error: unknown) => void) {}

  /** Whether nothing new may begin. */
  get begun(): boolean {
    return this.ending !== undefined;
  }

  /**
   * Starts something and keeps how it is stopped; also when it is to stop before it has started.
   *
   * @param stop Stops it after what it is doing.
   * @param hurry Cuts that short.
   * @throws {@link StoppedError} when everything is to end already.
   */
  async start<T>(
    start: () => T | Promise<T>,
    stop: (started: T) => Promise<void>,
    hurry: (started: T) => void = () => undefined,
  ): Promise<T> {
    if (this.begun) throw new StoppedError();
    const starting = Promise.resolve(start());
    this.stops.push(() => starting.then(stop, () => undefined));
    this.hurries.push(() => void starting.then(hurry, () => undefined));
    const started = await starting;
    // Read anew: a signal may have come meanwhile.
    if (this.ending !== undefined) throw new StoppedError();
    return started;
  }

  /** Stops everything; resolves when all of it has ended. Rejects never. */
  end(): Promise<void> {
    this.ending ??= this.stopAll();
    return this.ending;
  }

  /**
   * Ends the process by signals: the first finishes what runs, the second cuts it short, the third
   * waits for nothing. The same signal counts once within {@link COPY_MS}. The death of a parent that
   * holds an IPC channel is a first signal.
   */
  listen(): void {
    const onSignal = () => {
      this.signals += 1;
      if (this.signals > 2) process.exit(1);
      if (this.signals > 1) for (const hurry of this.hurries) hurry();
      void this.end().then(() => process.exit(this.signals > 1 ? 1 : 0));
    };
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      process.on(signal, () => {
        if (!this.isCopy(signal)) onSignal();
      });
    }
    process.once("disconnect", onSignal);
  }

  private isCopy(signal: NodeJS.Signals): boolean {
    const now = performance.now();
    if (now - (this.lastSignal.get(signal) ?? -Infinity) < COPY_MS) return true;
    this.lastSignal.set(signal, now);
    return false;
  }

  private async stopAll(): Promise<void> {
    for (const stop of this.stops.toReversed()) {
      await stop().catch(this.complain);
    }
  }
}

/** The process was told to end before its start was over. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";
}
