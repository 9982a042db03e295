import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { processIds } from "../../engine/system/proc";
import type { Tree } from "./tree";

/** How a test file ended, and after how long. */
export interface TestRun {
  readonly end: "passed" | "failed" | "too long";
  readonly seconds: number;
}

/**
 * Runs one test file of the tree, up to its first failed test. Leaves no process behind.
 *
 * @throws AbortError when the tree is given up.
 */
export async function runTest(
  tree: Tree,
  test: string,
  limitSeconds: number,
  environment: NodeJS.ProcessEnv = {},
): Promise<TestRun> {
  const began = performance.now();
  const jest = path.join(tree.root, "node_modules/jest/bin/jest.js");
  const failFast = path.join(tree.root, "dist/test/mutation/fail-fast.js");
  const args = ["--experimental-vm-modules", jest, "--runTestsByPath", `dist/${test}`];
  // Every process that comes of it has this in its environment, whatever session it is in.
  const child = spawn(process.execPath, [...args, "--runInBand", "--testEnvironment", failFast], {
    cwd: tree.root,
    detached: true,
    stdio: "ignore",
    env: { ...process.env, ...environment, TMPDIR: tree.tmp, MUTATION_TREE: tree.root },
  });
  const over = new AbortController();
  const end = await Promise.race([
    once(child, "exit").then(([code]: unknown[]) => (code === 0 ? "passed" : "failed")),
    delay(limitSeconds * 1_000, "too long", { signal: over.signal }),
  ]).finally(async () => {
    over.abort();
    // One that was just being made is in no list yet, and a killed one needs a moment to end.
    while (endProcesses(tree) > 0) await delay(10);
  });
  tree.stop.throwIfAborted();
  return { end: end as TestRun["end"], seconds: (performance.now() - began) / 1_000 };
}

/** Kills every process that tests in the tree have started. @returns how many there were. */
export function endProcesses(tree: Tree): number {
  let ended = 0;
  for (const pid of processIds()) {
    if (pid === process.pid || !environmentOf(pid).includes(`MUTATION_TREE=${tree.root}`)) continue;
    ended += 1;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself.
    }
  }
  return ended;
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return [];
  }
}
