/**
 * How long a second signal of the same kind counts as a copy of the first. A process manager that signals the
 * whole process group (systemd does) signals this process directly, and its parent passes the signal on.
 */
const COPY_MS = 1_000;

/** Keeps how to stop what was started, and stops it in reverse order, once, however many signals come. */
export class Shutdown {
  private readonly stops: (() => Promise<void>)[] = [];
  private readonly hurries: (() => void)[] = [];
  private ending: Promise<void> | undefined;
  private signals = 0;
  private readonly lastSignal = new Map<NodeJS.Signals, number>();

  /** @param complain Called with the error of each part that could not be stopped. */
  constructor(private readonly complain: (error: unknown) => void) {}

  /** Whether the process is ending, so that nothing new may begin. */
  get begun(): boolean {
    return this.ending !== undefined;
  }

  /**
   * Starts a part and keeps how to stop it. If the end comes while it starts, it is stopped once it has
   * started.
   *
   * @param stop Stops it after it has finished what it is doing.
   * @param hurry Cuts short what it is doing; called at the second signal.
   * @throws {@link StoppedError} when the process is ending already; what `start` throws.
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
    // A signal may have come while it started.
    if (this.ending !== undefined) throw new StoppedError();
    return started;
  }

  /** Stops everything, in reverse order. Resolves when all of it has ended; never rejects. */
  end(): Promise<void> {
    this.ending ??= this.stopAll();
    return this.ending;
  }

  /**
   * Ends the process at SIGTERM, SIGINT or SIGHUP: the first signal lets what runs finish, the second cuts
   * it short, the third exits at once. The same signal counts once within {@link COPY_MS}. A parent process
   * that has an IPC channel to this one and dies counts as a signal.
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
