import { setTimeout as delay } from "node:timers/promises";
import {
  argumentsOf,
  privateMemoryMb,
  processIds,
  readStat,
  residentMemoryMb,
  type ProcessStat,
} from "../../engine/system/proc";

/** A process with its command line. */
export interface Process extends ProcessStat {
  /** The program first. */
  readonly args: readonly string[];
}

/** The process and all below it that are there now. */
export function treeOf(root: number): Process[] {
  const all = processIds().flatMap((pid) => read(pid) ?? []);
  const below = (parent: Process): Process[] => [
    parent,
    ...all.filter((child) => child.parent === parent.pid).flatMap(below),
  ];
  return all.filter(({ pid }) => pid === root).flatMap(below);
}

/**
 * The memory that only this process has, in MB.
 *
 * @throws Error when it cannot be read: a sum without it would look better than what is so.
 */
export function privateMemory(pid: number): number {
  return known(privateMemoryMb(pid), pid);
}

/**
 * The memory of this process that is in RAM, in MB.
 *
 * @throws Error when it cannot be read.
 */
export function residentMemory(pid: number): number {
  return known(residentMemoryMb(pid), pid);
}

function known(memoryMb: number | undefined, pid: number): number {
  if (memoryMb === undefined) throw new Error(`the memory of process ${pid} cannot be read`);
  return memoryMb;
}

/**
 * Waits until the process and all below it have used no CPU for a second, 30 seconds at most.
 *
 * A service prepares for its next request after it has answered one. If that went on during the next
 * measurement, it would make that one slower.
 */
export async function untilIdle(root: number): Promise<void> {
  let before = workOf(root);
  let quiet = 0;
  for (let turn = 0; turn < 100 && quiet < 4; turn++) {
    await delay(300);
    const now = workOf(root);
    // A process that only wakes up to poll uses up to two ticks in this time.
    const isQuiet = now.pids === before.pids && now.ticks - before.ticks <= 2;
    quiet = isQuiet ? quiet + 1 : 0;
    before = now;
  }
}

function workOf(root: number): { pids: string; ticks: number } {
  const tree = treeOf(root);
  const ticks = tree.reduce((sum, each) => sum + each.cpuTicks, 0);
  return { pids: tree.map(({ pid }) => pid).join(), ticks };
}

function read(pid: number): Process | undefined {
  const [stat, args] = [readStat(pid), argumentsOf(pid)];
  return stat && args && { ...stat, args };
}
