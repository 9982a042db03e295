import { spawnSync } from "node:child_process";

/**
 * The ids of the processes that `pgrep` finds with these arguments.
 *
 * @throws Error when it could not look: that nothing was found must not be mixed up with it.
 */
export function pgrep(...args: string[]): number[] {
  const { status, stdout, stderr, error } = spawnSync("pgrep", args, { encoding: "utf8" });
  // Its exit code for none is 1.
  if (status !== 0 && status !== 1) throw new Error(`pgrep: ${stderr}`, { cause: error });
  return stdout.split("\n").filter(Boolean).map(Number);
}
