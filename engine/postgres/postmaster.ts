import { existsSync } from "node:fs";
import { readFile, realpath, rm } from "node:fs/promises";
import { join } from "node:path";

import { runTool } from "../../scripts/tool.cjs";
import { processIds, workingDirectoryOf } from "../system/proc";

/**
 * The port of the server that runs on this data directory; undefined when none runs.
 *
 * A server that was killed leaves `postmaster.pid` behind, with its process id. When another process
 * has that id by now, as is common in a restarted container, PostgreSQL takes it for the old server and
 * refuses to start. This function removes the file then. It first waits until the last worker of the
 * old server has ended: without the file a new server would start beside that worker and damage the
 * data.
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

/**
 * Kills the server that runs on this data directory: its first process by SIGKILL, at which its workers
 * end by themselves.
 *
 * @throws Error when one of them has not ended after ten seconds
 */
export async function kill(data: string): Promise<void> {
  const [pid] = (await readFile(join(data, "postmaster.pid"), "utf8")).split("\n");
  process.kill(Number(pid), "SIGKILL");
  // A server does not start beside the last worker of another one.
  if (!(await allGone(data))) throw new Error(`a process of the server in ${data} does not end`);
}

/** Waits until every process of the server has ended, ten seconds at most; false when one is left. */
async function allGone(data: string): Promise<boolean> {
  for (let tries = 100; tries > 0; tries -= 1) {
    if ((await serverProcesses(data)).length === 0) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return (await serverProcesses(data)).length === 0;
}

/**
 * The ids of a server's processes: each works in the data directory. Where there is no /proc to tell, the
 * first process, whose command line names the directory.
 */
async function serverProcesses(data: string): Promise<number[]> {
  if (workingDirectoryOf(process.pid) === undefined) {
    // No /proc, as on macOS.
    const { output } = await runTool("ps", ["-axo", "pid=,command="]);
    return output.filter((line) => line.includes(`-D ${data}`)).map((line) => parseInt(line, 10));
  }
  const directory = await realpath(data);
  return processIds().filter((pid) => workingDirectoryOf(pid) === directory);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
