import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { InstanceInUseError, lockInstance } from "../../../engine/postgres/data-lock";
import { takeLock } from "../../../scripts/lock.cjs";

let directory: string;
let log: string;
const children: ChildProcess[] = [];

function start(turns: number, then = ""): ChildProcess {
  const child = fork(join(__dirname, "..", "..", "support", "hold-lock.js"), [
    directory,
    log,
    String(turns),
    then,
  ]);
  children.push(child);
  return child;
}

async function held(): Promise<void> {
  while (!existsSync(log)) await new Promise((resolve) => setTimeout(resolve, 10));
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lock-"));
  log = join(directory, "log");
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

describe("the lock of a directory", () => {
  it("names the process that holds it", async () => {
    const holder = start(1, "hold");
    await held();
    expect(await takeLock(directory, "test")).toEqual({ heldBy: holder.pid });
  });

  it("is free at once when its holder was killed", async () => {
    const holder = start(1, "hold");
    await held();
    holder.kill("SIGKILL");
    await once(holder, "exit");
    expect(await takeLock(directory, "test")).toHaveProperty("release");
  });

  it("belongs to one process at a time, however many want it", async () => {
    const turns = 15;
    const all = [start(turns), start(turns), start(turns), start(turns)];
    await Promise.all(all.map((child) => once(child, "exit")));
    const lines = readFileSync(log, "utf8").trim().split("\n");
    expect(lines).toHaveLength(2 * turns * all.length);
    for (let i = 0; i < lines.length; i += 2) {
      expect(lines[i + 1]).toBe(lines[i]?.replace(" in", " out"));
    }
  });

  it("leaves one file behind, not one for each turn", async () => {
    const ended = once(start(5), "exit");
    await ended;
    expect(readdirSync(directory)).toEqual(["log", "test.5.lock"]);
  });

  it("shows as one file while it is held", async () => {
    const lock = await takeLock(directory, "test");
    expect(lock).toHaveProperty("release");
    expect(readdirSync(directory)).toEqual(["test.1.lock"]);
  });

  it("does not mind another lock in the same directory", async () => {
    const one = await takeLock(directory, "one");
    const two = await takeLock(directory, "two");
    expect(one).toHaveProperty("release");
    expect(two).toHaveProperty("release");
  });
});

describe("an instance", () => {
  it("is refused a directory that is in use, by the process id of who uses it", async () => {
    const lock = await lockInstance(directory);
    const error: unknown = await lockInstance(directory).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(InstanceInUseError);
    expect(error).toMatchObject({
      pid: process.pid,
      message: `${directory} is in use by another instance (process ${process.pid})`,
    });
    await lock.release();
    await (await lockInstance(directory)).release();
  });
});
