/** The hosts that have begun a run, by process id. */
export class RunningHosts {
  private readonly leaders = new Set<number>();
  private killed = false;

  /** Also ends one that begins when all were killed. */
  add(leader: number): void {
    this.leaders.add(leader);
    if (this.killed) killGroup(leader);
  }

  delete(leader: number): void {
    this.leaders.delete(leader);
  }

  kill(): void {
    this.killed = true;
    this.leaders.forEach(killGroup);
  }
}

/** Ends a process and what it started, but for what has a group of its own. */
export function killGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // Nothing of it is left.
  }
}
