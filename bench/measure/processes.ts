import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** A process as /proc tells it. */
export interface Process {
  readonly pid: number;
  readonly parent: number;
  /** Its arguments, the command first. */
  readonly args: readonly string[];
  /** CPU time so far, its ended children's too, in ticks of 10 ms. */
  readonly ticks: number;
}

/** The process and all below it that are there now. */
export function treeOf(root: number): Process[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => read(Number(pid)) ?? []);
  const below = (parent: Process): Process[] => [
    parent,
    ...all.filter((child) => child.parent === parent.pid).flatMap(below),
  ];
  return all.filter(({ pid }) => pid === root).flatMap(below);
}

/** The memory that only this process has, in MB: what would be free without it. */
export function privateMemory(pid: number): number {
  return kilobytes(pid, "smaps_rollup", /^Private_\w+: +(\d+) kB$/gm) / 1_024;
}

/** The memory of this process that is in RAM, in MB. */
export function residentMemory(pid: number): number {
  return kilobytes(pid, "status", /^VmRSS:\s+(\d+) kB$/gm) / 1_024;
}

/**
 * Waits until the process and all below it have had nothing to do for a second, 30 seconds at most.
 *
 * What a service prepares for the next request must not take the time of what is measured next.
 */
export async function untilIdle(root: number): Promise<void> {
  let before = workOf(root);
  let quiet = 0;
  for (let turn = 0; turn < 100 && quiet < 4; turn++) {
    await delay(300);
    const now = workOf(root);
    // Who only looks around now and then uses a tick in that time.
    const isQuiet = now.pids === before.pids && now.ticks - before.ticks <= 2;
    quiet = isQuiet ? quiet + 1 : 0;
    before = now;
  }
}

function workOf(root: number): { pids: string; ticks: number } {
  const tree = treeOf(root);
  const ticks = tree.reduce((sum, each) => sum + each.ticks, 0);
  return { pids: tree.map(({ pid }) => pid).join(), ticks };
}

function read(pid: number): Process | undefined {
  try {
    // https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: the name may hold spaces.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    const ticks = stat.slice(11, 15).reduce((sum, each) => sum + Number(each), 0);
    return { pid, parent: Number(stat[1]), args, ticks };
  } catch {
    // Gone since it was listed.
    return undefined;
  }
}

function kilobytes(pid: number, file: string, lines: RegExp): number {
  const text = readFileSync(`/proc/${pid}/${file}`, "utf8");
  return [...text.matchAll(lines)].reduce((sum, [, value]) => sum + Number(value), 0);
}
