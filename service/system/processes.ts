import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { processIds, readStat } from "../../engine/system/proc";

/**
 * The variable that marks every process that an instance of the service starts: which machine, which
 * namespace of process ids, and which process the instance is. Its value is inherited all the way
 * down, to the CLI, the plugins and dbmate.
 */
export const MARK = "PULUMI_TENANT_INSTANCE";

/** The mark of what this process starts; undefined where there is no /proc to find it by. */
export function ownMark(): string | undefined {
  const started = startOf(process.pid);
  if (started === undefined) return undefined;
  return [...place(), process.pid, started].join("/");
}

/** What names this process on this machine: its namespace of process ids, its id, its start. */
export function ownTag(): string {
  return [place()[1] || "0", process.pid, startOf(process.pid) ?? "0"].join("-");
}

/** Whether the process with this tag runs, or may do so where nobody can tell. */
export function isRunning(tag: string): boolean {
  const [namespace, pid, started] = tag.split("-");
  if (startOf(process.pid) === undefined || namespace !== place()[1]) return true;
  return startOf(Number(pid)) === started;
}

/**
 * Ends what instances of this machine left behind that are no more.
 *
 * @returns how many processes that were.
 */
export function endOrphans(): number {
  const here = place().join("/");
  const orphans = processIds().filter((pid) => {
    const [, at, instance, started] = /^(.*)\/(\d+)\/(\d+)$/.exec(markOf(pid) ?? "") ?? [];
    return at === here && startOf(Number(instance)) !== started;
  });
  return orphans.filter(end).length;
}

/**
 * Ends every process of a session but its leader: what a host started, and what that started. The
 * engine gives its plugins process groups of their own, but no sessions.
 */
export function endFollowers(leader: number): void {
  for (const pid of processIds()) {
    if (pid !== leader && readStat(pid)?.session === leader) end(pid);
  }
}

/** Ends a process and what it started, but for what has a group of its own. */
export function killGroup(leader: number | undefined): void {
  if (leader !== undefined) end(-leader);
}

function end(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    // It ended by itself.
    return false;
  }
}

/** What names this machine, or this container of it: process ids mean nothing in another one. */
function place(): [string, string] {
  return [hostname(), /\d+/.exec(namespaceOfProcesses())?.[0] ?? ""];
}

function namespaceOfProcesses(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

function markOf(pid: number): string | undefined {
  const entries = environmentOf(pid).split("\0");
  return entries.find((entry) => entry.startsWith(`${MARK}=`))?.slice(MARK.length + 1);
}

/** When a process started, in the kernel's ticks; undefined where there is none, or a dead one. */
function startOf(pid: number): string | undefined {
  const stat = readStat(pid);
  return stat === undefined || stat.state === "Z" ? undefined : stat.startedAtTick;
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8");
  } catch {
    // Gone since it was listed, or another user's.
    return "";
  }
}
