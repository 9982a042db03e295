import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { holderOf } from "../../../service/runs/stack-lock";

let folder: string;
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), "stack-lock-test-"))));
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes a lock as the CLI writes it. */
function lockedBy(lock: unknown, name = "1.json"): void {
  const directory = path.join(folder, ".pulumi/locks/organization/tenant-service/acme");
  mkdirSync(directory, { recursive: true });
  writeFileSync(path.join(directory, name), JSON.stringify(lock));
}

const holder = () => holderOf(`file://${folder}?no_tmp_dir=true`, "acme");

/** The process id of a process that has ended. */
async function endedProcess(): Promise<number> {
  const child = spawn("true");
  await once(child, "exit");
  return child.pid ?? 0;
}

test("a process of this machine that is gone is dead", async () => {
  lockedBy({ pid: await endedProcess(), hostname: hostname(), username: "app" });
  expect(holder()).toBe("dead");
});

test("a process id that another program has by now is a dead one's", () => {
  lockedBy({ pid: process.pid, hostname: hostname() });
  expect(holder()).toBe("dead");
});

test("a Pulumi CLI that lives is not", async () => {
  const cli = path.join(folder, "pulumi");
  copyFileSync("/bin/sleep", cli);
  const child = spawn(cli, ["60"]);
  await once(child, "spawn");
  lockedBy({ pid: child.pid, hostname: hostname() });
  expect(holder()).toBe("unknown");
  child.kill();
  await once(child, "exit");
  expect(holder()).toBe("dead");
});

test("a CLI that is dead and that nobody collected is dead", async () => {
  const cli = path.join(folder, "pulumi");
  copyFileSync("/bin/sleep", cli);
  // sleep never asks after the child that the shell left it.
  const parent = spawn("sh", ["-c", `${cli} 60 & echo $!; exec sleep 60`]);
  const [pid] = (await once(parent.stdout, "data")) as [Buffer];
  lockedBy({ pid: Number(pid.toString()), hostname: hostname() });
  await delay(100);
  expect(holder()).toBe("unknown");
  process.kill(Number(pid.toString()), "SIGKILL");
  await delay(100);
  expect(holder()).toBe("dead");
  parent.kill();
  await once(parent, "exit");
});

test("one dead holder among others proves nothing", async () => {
  lockedBy({ pid: await endedProcess(), hostname: hostname() });
  lockedBy({ pid: await endedProcess(), hostname: "another-machine" }, "2.json");
  expect(holder()).toBe("unknown");
});

test("of another machine, or of a lock that cannot be read, nothing is known", async () => {
  lockedBy({ pid: await endedProcess(), hostname: "another-machine" });
  expect(holder()).toBe("unknown");
  lockedBy({ who: "knows" });
  expect(holder()).toBe("unknown");
});

test("of another backend than files nothing is known", () => {
  expect(holderOf("s3://bucket", "acme")).toBe("unknown");
});
