import { chown, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { reasonOf, runTool, SetUpError } from "../../scripts/tool.cjs";
import type { Account } from "./account";
import type { PostgresBinaries } from "./binaries";
import { runningPort } from "./postmaster";

/** One PostgreSQL data directory, with the programs and the account that run it. */
export interface Cluster {
  /** What belongs to the account that runs the server: data, log. */
  readonly home: string;
  readonly binaries: PostgresBinaries;
  readonly account: Account | undefined;
}

export function dataOf({ home }: Cluster): string {
  return join(home, "data");
}

/**
 * Makes the data directory when there is none. It gets its name when it is whole, so one that was
 * cut short is simply made again.
 *
 * @throws {SetUpError} with initdb's reason
 */
export async function initialise(cluster: Cluster, superuserPassword: string): Promise<void> {
  if (existsSync(dataOf(cluster))) return;
  const half = join(cluster.home, "data.new");
  const passwordFile = join(cluster.home, "password.new");
  await rm(half, { recursive: true, force: true });
  await rm(passwordFile, { force: true });
  await writeFile(passwordFile, superuserPassword, { mode: 0o600, flag: "wx" });
  await give(passwordFile, cluster.account);
  const run = await tool(cluster, cluster.binaries.initdb, [
    `--pgdata=${half}`,
    `--pwfile=${passwordFile}`,
    "--username=postgres",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    // The same order of text on every machine, whatever locales it has.
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--set=listen_addresses=127.0.0.1",
    "--set=unix_socket_directories=",
  ]);
  await rm(passwordFile, { force: true });
  if (!run.ok) throw failure("The database's files cannot be made", run.output, cluster);
  await rename(half, dataOf(cluster));
}

/** Gives a file to the account that runs the server. */
export async function give(path: string, account: Account | undefined): Promise<void> {
  if (account) await chown(path, account.uid, account.gid);
}

/**
 * Starts the server in a session of its own, so that a Ctrl-C meant for us does not reach it, and
 * returns when it accepts connections.
 *
 * @param settings of this run, beside the data directory's own
 * @throws {SetUpError} with the last line of the server's log
 */
export async function start(
  cluster: Cluster,
  port: number,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const log = join(cluster.home, "server.log");
  const options = Object.entries(settings).map(([name, value]) => ` -c ${name}=${value}`);
  await rm(log, { force: true });
  const run = await tool(cluster, cluster.binaries.pg_ctl, [
    `--pgdata=${dataOf(cluster)}`,
    `--log=${log}`,
    "--wait",
    // Recovery after a crash may take its time.
    "--timeout=600",
    `--options=-p ${port}${options.join("")}`,
    "start",
  ]);
  if (run.ok) return;
  const said = existsSync(log) ? (await readFile(log, "utf8")).split("\n") : run.output;
  const faults = said.filter((line) => /FATAL|PANIC|No space left/.test(line));
  throw failure("The database does not start", faults.length > 0 ? faults : said, cluster);
}

/** Stops the server, if it runs: open connections are ended, what is committed stays. */
export async function stop(cluster: Cluster): Promise<void> {
  for (const mode of ["fast", "immediate"]) {
    const args = [
      `--pgdata=${dataOf(cluster)}`,
      "--wait",
      "--timeout=60",
      `--mode=${mode}`,
      "stop",
    ];
    if ((await tool(cluster, cluster.binaries.pg_ctl, args)).ok) return;
    if ((await runningPort(dataOf(cluster))) === undefined) return;
  }
  throw new SetUpError(`The database in ${dataOf(cluster)} does not stop`);
}

async function tool(cluster: Cluster, command: string, args: readonly string[]) {
  await mkdir(cluster.home, { recursive: true });
  return runTool(command, args, {
    account: cluster.account,
    cwd: cluster.home,
    environment: { PATH: process.env.PATH, TZ: process.env.TZ, LC_ALL: "C" },
  });
}

function failure(what: string, output: readonly string[], cluster: Cluster): SetUpError {
  return new SetUpError(`${what}: ${reasonOf(output, cluster.home)}`);
}
