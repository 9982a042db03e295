/** The jobs that this process works on, whichever of its runners took them from the queue. */
export class JobsAtWork {
  private readonly ends = new Map<string, Promise<void>>();

  /** @param limit How many jobs may run at once. */
  constructor(private readonly limit: number) {}

  /**
   * Runs `work` when fewer than `limit` jobs run, and when no other job of the same operation does. After a
   * runner went down, its jobs go on while its successor takes new ones: both count here, and the successor
   * may be given an operation that the first one still works on.
   *
   * @throws what `work` throws.
   */
  async inTurn(operationId: string, work: () => Promise<void>): Promise<void> {
    for (;;) {
      const before = this.ends.get(operationId) ?? this.nextFree();
      if (before === undefined) break;
      await before;
    }
    const job = work();
    const settled = () => void this.ends.delete(operationId);
    this.ends.set(operationId, job.then(settled, settled));
    return job;
  }

  private nextFree(): Promise<void> | undefined {
    return this.ends.size < this.limit ? undefined : Promise.race(this.ends.values());
  }
}
