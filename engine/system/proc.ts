import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * What the kernel says of a process in `/proc/PID/stat`.
 * https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 */
export interface ProcessStat {
  readonly pid: number;
  /** The name of its program, cut after 15 characters. */
  readonly name: string;
  /** One letter: R running, S sleeping, Z a zombie, X dead, and others. */
  readonly state: string;
  /** The process id of its parent. */
  readonly parent: number;
  /** The process id of the leader of its session. */
  readonly session: number;
  /** CPU time so far, with that of its ended children, in clock ticks of 10 ms. */
  readonly cpuTicks: number;
  /** When it started, in clock ticks since the machine did. With the id it names one process. */
  readonly startedAtTick: string;
}

/** The ids of all processes; none where there is no /proc. */
export function processIds(): number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** Reads `/proc/PID/stat`; undefined where there is no such process, or no /proc. */
export function readStat(pid: number): ProcessStat | undefined {
  // The name stands in parentheses and may hold anything, spaces and parentheses too.
  const [, name, rest] = /^\d+ \((.*)\) (.*)$/s.exec(read(pid, "stat") ?? "") ?? [];
  // From field 3 on, so the field of number n in the manual is at n - 3.
  const fields = rest?.split(" ") ?? [];
  const [state, parent, , session] = fields;
  const startedAtTick = fields[19];
  if (name === undefined || state === undefined || startedAtTick === undefined) return undefined;
  const cpuTicks = fields.slice(11, 15).reduce((sum, each) => sum + Number(each), 0);
  return {
    ...{ pid, name, state, cpuTicks, startedAtTick },
    ...{ parent: Number(parent), session: Number(session) },
  };
}

/**
 * When the machine started, by its clock of now, in ms since 1970, cut to a whole second; undefined where there
 * is no /proc. Where the clock is set, it moves as far as the clock.
 */
export function bootTimeMs(): number | undefined {
  const seconds = /^btime (\d+)$/m.exec(readText("/proc/stat") ?? "")?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1_000;
}

/** The command line of a process, the program first; undefined where it cannot be read. */
export function argumentsOf(pid: number): readonly string[] | undefined {
  return read(pid, "cmdline")?.split("\0").slice(0, -1);
}

/** The directory that a process works in; undefined where it cannot be read. */
export function workingDirectoryOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

/** The memory of a process that is in RAM, in MB; undefined where it cannot be read. */
export function residentMemoryMb(pid: number): number | undefined {
  return sumInMb(read(pid, "status"), /^VmRSS:\s+(\d+) kB$/gm);
}

/** The memory that only this process has, in MB: what would be free without it. */
export function privateMemoryMb(pid: number): number | undefined {
  return sumInMb(read(pid, "smaps_rollup"), /^Private_\w+: +(\d+) kB$/gm);
}

function sumInMb(text: string | undefined, linesInKb: RegExp): number | undefined {
  if (text === undefined) return undefined;
  return [...text.matchAll(linesInKb)].reduce((sum, [, value]) => sum + Number(value), 0) / 1_024;
}

function read(pid: number, file: string): string | undefined {
  return readText(`/proc/${pid}/${file}`);
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // It ended since it was listed, or is another user's, or there is no /proc.
    return undefined;
  }
}
