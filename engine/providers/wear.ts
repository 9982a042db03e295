import { readFileSync } from "node:fs";

/** After how much a provider's process is replaced by a new one. */
export interface WearLimits {
  /** Engine runs that it served. */
  readonly leases: number;
  /** Memory that it gained since it started, in MB, where there is /proc to tell. */
  readonly growthMb: number;
}

/**
 * Each engine that attaches to the official postgresql plugin leaves about 0.77 MB in it for good: so
 * many make it two times as large as it began.
 */
export const usualWear: WearLimits = { leases: 200, growthMb: 200 };

/** How worn a process is: official plugins grow with each engine that attaches to them. */
export class Wear {
  private leases = 0;
  private beganAtMb: number;

  constructor(
    private readonly pid: number,
    private readonly limits: WearLimits,
  ) {
    this.beganAtMb = memoryMb(pid);
  }

  /** Counts one engine run more. */
  count(): void {
    this.leases += 1;
  }

  /** Whether it is to be replaced. */
  isOver(): boolean {
    const { leases, growthMb } = this.limits;
    return this.leases >= leases || memoryMb(this.pid) - this.beganAtMb >= growthMb;
  }

  /** Gives it as much time again: no successor was to be had. */
  reset(): void {
    this.leases = 0;
    this.beganAtMb = memoryMb(this.pid);
  }
}

/** What the process holds in memory; 0 where nobody tells. */
function memoryMb(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1_024;
  } catch {
    return 0;
  }
}
