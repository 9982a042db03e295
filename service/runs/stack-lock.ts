import { readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { z } from "zod";
import { stateFolder } from "../backend";
import { codeOf } from "../error-code";
import { PROJECT } from "./owner";

// As the CLI writes it:
// https://github.com/pulumi/pulumi/blob/v3.246.0/pkg/backend/diy/lock.go
const lockFile = z.object({ pid: z.int().positive(), hostname: z.string() });

/**
 * Whether the process that holds the stack's lock is proven dead. That can be proven on the machine
 * where it ran only, so of other backends than `file://` and of other machines nothing is known.
 */
export function holderOf(backendUrl: string, stack: string): "dead" | "unknown" {
  const folder = stateFolder(backendUrl);
  if (folder === undefined) return "unknown";
  const locks = path.join(folder, ".pulumi/locks/organization", PROJECT, stack);
  const files = readdirSync(locks).filter((file) => file.endsWith(".json"));
  return files.every((file) => isDead(path.join(locks, file))) ? "dead" : "unknown";
}

function isDead(file: string): boolean {
  try {
    const { pid, hostname: machine } = lockFile.parse(JSON.parse(readFileSync(file, "utf8")));
    return machine === hostname() && !isPulumi(pid);
  } catch {
    // Gone since we looked, or not as we know it: nothing is proven.
    return false;
  }
}

/** Whether a CLI runs under the process id, or may do so where nobody can tell. */
function isPulumi(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
  try {
    // https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [, name, state] = /^\d+ \((.*)\) (.)/s.exec(stat) ?? [];
    // Ids are used again soon after a container starts, and a container whose first process collects
    // no orphans keeps the dead ones as zombies.
    return name === "pulumi" && state !== "Z" && state !== "X";
  } catch {
    return true;
  }
}
