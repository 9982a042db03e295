import { readdirSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { z } from "zod";
import { readStat } from "../../engine/system/proc";
import { stateFolder } from "../config/backend-url";
import { codeOf } from "../system/error-code";
import type { Query } from "../database/database";
import { isOver } from "../cluster/liveness";
import { PROJECT } from "./work-dir";

/**
 * Whether every lock that the CLI met is proven to be a dead process's, on whatever backend: one of
 * this machine that is gone, or one of a machine whose instances at that time are dead. Of any other
 * machine, such as a person's, nothing is known.
 *
 * @param error What the CLI failed with: it names each lock.
 */
export async function lockIsStale(query: Query, error: Error): Promise<boolean> {
  const locks = locksNamedIn(error.message);
  if (locks.length === 0) return false;
  try {
    const dead = await Promise.all(locks.map((lock) => isDead(query, lock)));
    return dead.every(Boolean);
  } catch {
    // The database does not answer: nothing is proven.
    return false;
  }
}

/**
 * Removes what a CLI that could not write its lock to the end, for want of room or because it was
 * killed, left of it in a `file://` backend. Every command that locks the stack would fail of it for
 * ever, with `unexpected end of JSON input`.
 *
 * Only for who holds the stack in the service's list: nobody else may be taking its lock just then.
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

/** The locks, or none where not each of them can be read. */
function locksNamedIn(message: string): Lock[] {
  const said = Number(announcement.exec(message)?.[1]);
  // The Automation API repeats what the CLI wrote.
  const byLine = new Map([...message.matchAll(line)].map((match) => [match[0], match.groups]));
  const locks = z
    .array(lock)
    .length(said)
    .safeParse([...byLine.values()]);
  return locks.success ? locks.data : [];
}

async function isDead(query: Query, { machine, pid, at }: Lock): Promise<boolean> {
  return machine === hostname() ? !isPulumi(pid) : isOver(query, machine, at);
}

/** Whether a CLI runs under the process id, or may do so where nobody can tell. */
function isPulumi(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
  const stat = readStat(pid);
  if (stat === undefined) return true;
  // Ids are used again soon after a container starts, and a container whose first process collects
  // no orphans keeps the dead ones as zombies.
  return stat.name === "pulumi" && stat.state !== "Z" && stat.state !== "X";
}
