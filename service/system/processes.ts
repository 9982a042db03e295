import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { processIds, readStat } from "../../engine/system/proc";

/**
 * The environment variable that marks every process that an instance of the service starts. Its value names
 * the instance: host name, PID namespace, process id and start. Child processes inherit it, down to the CLI,
 * the plugins and dbmate, so that {@link endOrphans} finds them when the instance is dead.
 */
export const MARK = "PULUMI_TENANT_INSTANCE";

/** The value of {@link MARK} for what this process starts; undefined where there is no /proc to read it from. */
export function ownMark(): string | undefined {
  const started = startOf(process.pid);
  if (started === undefined) return undefined;
  return [...place(), process.pid, started].join("/");
}

/**
 * A name for this process among those of all machines: a digest of the host name, the PID namespace, process id
 * and start, with hyphens.
 */
export function ownTag(): string {
  return [...tagOfPlace(), process.pid, startOf(process.pid) ?? "0"].join("-");
}

/** Whether the process with this tag of {@link ownTag} runs; `true` also where that cannot be found out. */
export function isRunning(tag: string): boolean {
  const [host, namespace, pid, started] = tag.split("-");
  const [ownHost, ownNamespace] = tagOfPlace();
  // Processes of other machines, which may share a folder with this one, are not in its /proc.
  if (host !== ownHost || namespace !== ownNamespace) return true;
  if (startOf(process.pid) === undefined) return true;
  return startOf(Number(pid)) === started;
}

/**
 * Kills the processes that dead instances of the service left behind on this machine.
 *
 * @returns how many were killed.
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
 * Kills every process of a session except its leader: all that a program host started, directly or not. Goes
 * by the session because the engine gives its plugins process groups of their own, but no sessions.
 *
 * @param leader The host's process id.
 */
export function endFollowers(leader: number): void {
  for (const pid of processIds()) {
    if (pid !== leader && readStat(pid)?.session === leader) end(pid);
  }
}

/** Kills a process group: its leader and what that started, except processes in groups of their own. */
export function killGroup(leader: number | undefined): void {
  if (leader !== undefined) end(-leader);
}

function end(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    // It has ended already, or belongs to another user.
    return false;
  }
}

function tagOfPlace(): [string, string] {
  const [host, namespace] = place();
  // A digest, because a host name may have hyphens.
  return [createHash("sha256").update(host).digest("hex").slice(0, 12), namespace || "0"];
}

/** The host name and the PID namespace: a process id means a process only within the same two. */
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

/** When a process started, in clock ticks since the machine's boot; undefined where it does not run. */
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
