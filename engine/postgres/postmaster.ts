import { existsSync } from "node:fs";
import { readdir, readFile, readlink, realpath, rm } from "node:fs/promises";
import { join } from "node:path";

import { runTool } from "../../scripts/tool.cjs";

/**
 * The port of the server that runs on this data directory, if one does.
 *
 * When the process id that a killed server left behind is another process's by now, as it often is
 * in a restarted container, PostgreSQL would refuse to start: then its file is cleared away, but not
 * before the last worker of the old server is gone, of which that file would have warned PostgreSQL.
 */
export async function runningPort(data: string): Promise<number | undefined> {
  const file = join(data, "postmaster.pid");
  if (!existsSync(file)) return undefined;
  const [pid, , , port] = (await readFile(file, "utf8")).split("\n");
  if ((await serverProcesses(data)).includes(Number(pid))) return Number(port);
  if (!isAlive(Number(pid))) return undefined;
  if (await allGone(data)) await rm(file, { force: true });
  return undefined;
}

/** Kills the first process of the server that runs on this data directory; the others follow it. */
export async function kill(data: string): Promise<void> {
  const [pid] = (await readFile(join(data, "postmaster.pid"), "utf8")).split("\n");
  process.kill(Number(pid), "SIGKILL");
  // A server does not start beside the last worker of another one.
  if (!(await allGone(data))) throw new Error(`a process of the server in ${data} does not end`);
}

/** Whether every process of the server has ended, at the latest after ten seconds. */
async function allGone(data: string): Promise<boolean> {
  for (let tries = 100; tries > 0; tries -= 1) {
    if ((await serverProcesses(data)).length === 0) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return (await serverProcesses(data)).length === 0;
}

/** The processes of a server: they work in its data directory, and the first names it. */
async function serverProcesses(data: string): Promise<number[]> {
  if (!existsSync("/proc/self/cwd")) {
    const { output } = await runTool("ps", ["-axo", "pid=,command="]);
    return output.filter((line) => line.includes(`-D ${data}`)).map((line) => parseInt(line, 10));
  }
  const directory = await realpath(data);
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const directories = await Promise.all(
    pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => undefined)),
  );
  return pids.filter((_, i) => directories[i] === directory).map(Number);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
