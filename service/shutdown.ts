/** Stops one thing that was started, after what it is doing. */
type Stop = () => Promise<void>;

/** What was started, to be stopped in the reverse order, once, however many signals come. */
export class Shutdown {
  private readonly stops: Stop[] = [];
  private readonly hurries: (() => void)[] = [];
  private ending: Promise<void> | undefined;
  private signals = 0;

  /** Whether nothing new may begin. */
  get begun(): boolean {
    return this.ending !== undefined;
  }

  /**
   * Registers how something that was just started is stopped, and how that is cut short.
   *
   * @throws {@link StoppedError} when the process is to end already: the start goes no further.
   */
  async add(stop: Stop, hurry?: () => void): Promise<void> {
    if (this.begun) {
      await stop();
      throw new StoppedError();
    }
    this.stops.push(stop);
    if (hurry !== undefined) this.hurries.push(hurry);
  }

  /** Stops everything; resolves when all of it has ended. Rejects never. */
  end(): Promise<void> {
    this.ending ??= this.stopAll();
    return this.ending;
  }

  /**
   * Ends the process by signals: the first finishes what runs, the second cuts it short, the third
   * waits for nothing. The death of a parent that holds an IPC channel is a first signal.
   */
  listen(): void {
    const onSignal = () => {
      this.signals += 1;
      if (this.signals > 2) process.exit(1);
      if (this.signals > 1) for (const hurry of this.hurries) hurry();
      void this.end().then(() => process.exit(this.signals > 1 ? 1 : 0));
    };
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, onSignal);
    process.once("disconnect", onSignal);
  }

  private async stopAll(): Promise<void> {
    for (const stop of this.stops.reverse()) {
      await stop().catch((error: unknown) => {
        console.error(error instanceof Error ? error.message : error);
      });
    }
  }
}

/** The process was told to end before its start was over. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";
}
