import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  argumentsOf,
  privateMemoryMb,
  processIds,
  readStat,
  residentMemoryMb,
  workingDirectoryOf,
} from "../../../engine/system/proc";

test("a process is read by its id, whatever its program is called", async () => {
  const directory = mkdtempSync(path.join(tmpdir(), "proc-"));
  const program = path.join(directory, "a) S 1 (b");
  copyFileSync("/bin/sleep", program);
  const child = spawn(program, ["60"], { cwd: directory, detached: true });
  try {
    const { pid = 0 } = child;
    await new Promise((resolve) => child.once("spawn", resolve));
    expect(processIds()).toEqual(expect.arrayContaining([process.pid, pid]));
    expect(readStat(pid)).toMatchObject({
      ...{ pid, name: "a) S 1 (b", parent: process.pid, session: pid },
      startedAtTick: expect.stringMatching(/^\d+$/) as string,
    });
    expect(argumentsOf(pid)).toEqual([program, "60"]);
    expect(workingDirectoryOf(pid)).toBe(realpathSync(directory));
  } finally {
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true });
  }
});

test("the memory of a process is in MB, and what is its own alone is a part of it", () => {
  const resident = residentMemoryMb(process.pid) ?? NaN;
  const own = privateMemoryMb(process.pid) ?? NaN;
  const known = process.memoryUsage.rss() / 2 ** 20;
  expect(resident).toBeGreaterThan(known / 2);
  expect(resident).toBeLessThan(known * 2);
  expect(own).toBeGreaterThan(1);
  expect(own).toBeLessThan(resident * 1.5);
});

test("of a process that is not there nothing is known", () => {
  const nobody = 2 ** 22 + 1;
  expect([
    readStat(nobody),
    argumentsOf(nobody),
    workingDirectoryOf(nobody),
    residentMemoryMb(nobody),
    privateMemoryMb(nobody),
  ]).toEqual([undefined, undefined, undefined, undefined, undefined]);
});
