import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { lockIsStale } from "../../../service/pulumi/stack-lock";
import { eventually } from "../../support/killable-service";
import { lockedError } from "../../support/stack-locks";

let folder: string;
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), "stack-lock-test-"))));
afterEach(() => rmSync(folder, { recursive: true }));

/** Of this machine, all is known without the database. */
const nobody = () => Promise.reject(new Error("the database must not be asked"));

const machine = hostname();
const staleOf = (pid: number | undefined, at = new Date()) =>
  lockIsStale(nobody, lockedError({ pid: pid ?? 0, machine, at }));

const statOf = (pid = 0) => readFileSync(`/proc/${pid}/stat`, "utf8");

/** The process id of a process that has ended. */
async function endedProcess(): Promise<number> {
  const child = spawn("true");
  await once(child, "exit");
  return child.pid ?? 0;
}

test("the lock of a process of this machine that is gone is stale", async () => {
  expect(await staleOf(await endedProcess())).toBe(true);
});

test.each(["pulumi", "node"])(
  "a process id that another process, %s, has by now is a dead one's",
  async (name) => {
    const later = path.join(folder, name);
    copyFileSync("/bin/sleep", later);
    const child = spawn(later, ["60"]);
    await once(child, "spawn");
    for (const [agoMs, stale] of [
      [3_600_000, true],
      [10_000, true],
      [0, false],
    ] as const) {
      expect(await staleOf(child.pid, new Date(Date.now() - agoMs))).toBe(stale);
    }
    child.kill();
    await once(child, "exit");
  },
);

test.each(["pulumi", "pulumi-3.246.0", "esc"])(
  "the lock of a CLI that lives, %s, is not",
  async (name) => {
    const cli = path.join(folder, name);
    copyFileSync("/bin/sleep", cli);
    const child = spawn(cli, ["60"]);
    await once(child, "spawn");
    expect(await staleOf(child.pid)).toBe(false);
    child.kill();
    await once(child, "exit");
    expect(await staleOf(child.pid)).toBe(true);
  },
);

test("nor is that of one that is paused: it will go on", async () => {
  const cli = path.join(folder, "pulumi");
  copyFileSync("/bin/sleep", cli);
  const child = spawn(cli, ["60"]);
  await once(child, "spawn");
  child.kill("SIGSTOP");
  await eventually(() => /^\d+ \(pulumi\) T/.test(statOf(child.pid)) || undefined);
  expect(await staleOf(child.pid)).toBe(false);
  child.kill("SIGKILL");
  await once(child, "exit");
});

test("a CLI that is dead and that nobody collected is dead", async () => {
  const cli = path.join(folder, "pulumi");
  copyFileSync("/bin/sleep", cli);
  // sleep never asks after the child that the shell left it.
  const parent = spawn("sh", ["-c", `${cli} 60 & echo $!; exec sleep 60`]);
  const [said] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(said.toString());
  // Between fork and exec it is still the shell. So is its parent, and a shell does ask after its children.
  await eventually(() => statOf(pid).startsWith(`${pid} (pulumi) `) || undefined);
  await eventually(() => statOf(parent.pid).includes(" (sleep) ") || undefined);
  expect(await staleOf(pid)).toBe(false);
  process.kill(pid, "SIGKILL");
  await eventually(() => statOf(pid).startsWith(`${pid} (pulumi) Z`) || undefined);
  expect(await staleOf(pid)).toBe(true);
  parent.kill();
  await once(parent, "exit");
});

test("of several locks each must be a dead process's", async () => {
  const dead = { pid: await endedProcess(), machine };
  const user = "DOM\\ana b@c";
  expect(await lockIsStale(nobody, lockedError(dead, { ...dead, user }))).toBe(true);
  const cli = path.join(folder, "pulumi");
  copyFileSync("/bin/sleep", cli);
  const child = spawn(cli, ["60"]);
  await once(child, "spawn");
  const alive = { pid: child.pid ?? 0, machine, user };
  expect(await lockIsStale(nobody, lockedError(dead, alive))).toBe(false);
  child.kill();
  await once(child, "exit");
});

test("words that name fewer locks than there are, or none, prove nothing", async () => {
  const { message } = lockedError({ pid: await endedProcess(), machine });
  const words = [
    message.replaceAll("by 1 lock(s)", "by 2 lock(s)"),
    message.replaceAll("(pid ", "(process "),
    message.replaceAll(/ at \S+Z/g, " at some time"),
    "[409] Conflict: Another update is currently in progress.",
  ];
  for (const text of words) expect(await lockIsStale(nobody, new Error(text))).toBe(false);
});
