import { existsSync } from "node:fs";
import { readdir, readFile, readlink, realpath, rm } from "node:fs/promises";
import { join } from "node:path";

import { runTool } from "../tool.cjs";

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
  let processes = await serverProcesses(data);
  if (processes.includes(Number(pid))) return Number(port);
  if (!isAlive(Number(pid))) return undefined;
  for (let tries = 100; processes.length > 0 && tries > 0; tries -= 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    processes = await serverProcesses(data);
  }
  if (processes.length === 0) await rm(file, { force: true });
  return undefined;
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
