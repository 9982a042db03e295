import { chown, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { reasonOf, runTool, SetUpError } from "../../scripts/tool.cjs";
import type { Account } from "./account";
import type { PostgresBinaries } from "./binaries";
import { runningPort } from "./postmaster";

/** One PostgreSQL data directory, with the programs and the account that run it. */
export interface Cluster {
  /** The folder that belongs to the account that runs the server, with the data and the log. */
  readonly home: string;
  readonly binaries: PostgresBinaries;
  readonly account: Account | undefined;
}

/** The data directory itself, `PGDATA`. */
export function dataOf({ home }: Cluster): string {
  return join(home, "data");
}

/**
 * Makes the data directory when there is none. initdb works under another name, and the directory is
 * renamed when it is complete: one that was cut short is made again from the start.
 *
 * @throws {SetUpError} with what initdb said
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
    // Text is sorted in the same way on every machine, whichever locales that has installed.
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
 * Starts the server and returns when it accepts connections. pg_ctl gives it a session of its own, so a
 * Ctrl-C in our terminal does not reach it.
 *
 * @param settings of this run, on top of those in the data directory
 * @throws {SetUpError} with the reason from the server's log
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
    // In seconds. After a crash the server first replays its log, which may take minutes.
    "--timeout=600",
    `--options=-p ${port}${options.join("")}`,
    "start",
  ]);
  if (run.ok) return;
  const said = existsSync(log) ? (await readFile(log, "utf8")).split("\n") : run.output;
  const errors = said.filter((line) => /FATAL|PANIC|No space left/.test(line));
  throw failure("The database does not start", errors.length > 0 ? errors : said, cluster);
}

/**
 * Stops the server, if it runs. Open connections are ended; what is committed stays.
 *
 * @throws {SetUpError} when it still runs after two attempts of a minute each
 */
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
