/** The jobs of this process, whichever runner took them. */
export class JobsAtWork {
  private readonly ends = new Map<string, Promise<void>>();

  /** @param limit How many work at once. */
  constructor(private readonly limit: number) {}

  /**
   * Works on an operation when it is its turn. While a runner that went down brings what it has to its
   * end, that counts as well, and the same operation is not begun twice.
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
