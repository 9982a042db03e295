import { readdirSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { z } from "zod";
import { bootTimeMs, readStat } from "../../engine/system/proc";
import { stateFolder } from "../config/backend-url";
import { codeOf } from "../system/error-code";
import type { Query } from "../database/database";
import { isOver } from "../cluster/liveness";
import { PROJECT } from "../config/project";

/**
 * Whether the holder of every lock that stopped the CLI is proven to be dead, on any backend. A process of
 * this machine is dead when it is gone; one of another machine is when all instances that ran there at the
 * time are dead. Where no instance is known on the machine (a person's laptop), nothing is proven.
 *
 * @param error The CLI's error, whose message names each lock.
 */
export async function lockIsStale(query: Query, error: Error): Promise<boolean> {
  const locks = locksNamedIn(error.message);
  if (locks.length === 0) return false;
  try {
    const dead = await Promise.all(locks.map((lock) => isDead(query, lock)));
    return dead.every(Boolean);
  } catch {
    // The database does not answer, so nothing is proven.
    return false;
  }
}

/**
 * Removes half-written locks from a `file://` backend. A CLI leaves one when the disk is full, or when it is
 * killed while it writes. As long as it is there, every command that locks the stack fails with
 * `unexpected end of JSON input`.
 *
 * To be called only by who holds the stack in the service's tables: otherwise the half-written lock may be one
 * that another CLI is writing just then.
 */
export function dropHalfLocks(backendUrl: string, stack: string): void {
  const folder = stateFolder(backendUrl);
  if (folder === undefined) return;
  const locks = path.join(folder, ".pulumi/locks/organization", PROJECT, stack);
  const half = namesIn(locks).filter((file) => file.endsWith(".tmp"));
  for (const file of half) rmSync(path.join(locks, file), { force: true });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // The stack was never locked.
    return [];
  }
}

const lock = z.object({
  machine: z.string(),
  pid: z.coerce.number().int().positive(),
  at: z.coerce.date(),
});

type Lock = z.infer<typeof lock>;

// As the CLI words it:
// https://github.com/pulumi/pulumi/blob/v3.246.0/pkg/backend/diy/lock.go
const announcement = /the stack is currently locked by (\d+) lock\(s\)/;
const line = /^.+: created by .*@(?<machine>\S+) \(pid (?<pid>\d+)\) at (?<at>\S+)$/gm;

/** The locks that the message names; none where one of them cannot be read. */
function locksNamedIn(message: string): Lock[] {
  const said = Number(announcement.exec(message)?.[1]);
  // The Automation API's message has the CLI's output twice, so each line is taken once.
  const byLine = new Map([...message.matchAll(line)].map((match) => [match[0], match.groups]));
  const locks = z
    .array(lock)
    .length(said)
    .safeParse([...byLine.values()]);
  return locks.success ? locks.data : [];
}

async function isDead(query: Query, { machine, pid, at }: Lock): Promise<boolean> {
  return machine === hostname() ? !mayHold(pid, at) : isOver(query, machine, at);
}

const bootTimeOnceMs = bootTimeMs();

/**
 * Whether the process with this id may have written a lock at that moment: whether it lives, and had started by
 * then; `true` also where that cannot be found out. What its program is called proves nothing: a person's CLI
 * may have any name, and after a container's restart other processes, CLIs too, soon have the same ids.
 */
function mayHold(pid: number, at: Date): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
  const stat = readStat(pid);
  if (stat === undefined) return true;
  // Where a container's first process does not reap orphans, dead CLIs stay as zombies.
  if (stat.state === "Z" || stat.state === "X") return false;
  // The lock's moment is by the clock of then. Where the clock was set forward since, a holder seems to have
  // started later than it did: so of the two boot times that this process has seen, the earlier one counts.
  const bootMs = Math.min(bootTimeMs() ?? NaN, bootTimeOnceMs ?? NaN);
  const startedMs = bootMs + Number(stat.startedAtTick) * 10;
  // The lock's moment has lost its fraction of a second. Nothing is proven by NaN.
  return !(startedMs > at.getTime() + 1_000);
}
