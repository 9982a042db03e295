import { residentMemoryMb } from "../system/proc";

/** A process of a provider that reaches one of these limits is replaced by a new one. */
export interface WearLimits {
  /** How many engine runs it has served. */
  readonly leases: number;
  /** How much memory it has gained since it started, in MB. Not checked where there is no /proc. */
  readonly growthMb: number;
}

/**
 * Each engine that attaches to the official postgresql plugin leaves about 0.77 MB in it that it never
 * frees. After 200 engines it is about twice as large as at its start.
 */
export const defaultWearLimits: WearLimits = { leases: 200, growthMb: 200 };

/** Counts what wears out one process: official plugins grow with each engine that attaches to them. */
export class Wear {
  private leases = 0;
  private beganAtMb: number;

  constructor(
    private readonly pid: number,
    private readonly limits: WearLimits,
  ) {
    this.beganAtMb = memoryMb(pid);
  }

  /** Counts one more engine run. */
  count(): void {
    this.leases += 1;
  }

  /** Whether the process has reached a limit and should be replaced. */
  isOver(): boolean {
    const { leases, growthMb } = this.limits;
    return this.leases >= leases || memoryMb(this.pid) - this.beganAtMb >= growthMb;
  }

  /** Starts counting anew, so that a process whose replacement did not start serves as long again. */
  reset(): void {
    this.leases = 0;
    this.beganAtMb = memoryMb(this.pid);
  }
}

/** The memory of a process in MB; 0 where there is no /proc, so that it never counts as grown. */
function memoryMb(pid: number): number {
  return residentMemoryMb(pid) ?? 0;
}
