import { chmod, mkdir } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

import { lockInstance } from "./data-lock";
import { SetUpError, withProgress } from "../../scripts/tool.cjs";
import { checkReachable, serverAccount } from "./account";
import { postgresBinaries } from "./binaries";
import { type Cluster, dataOf, give, initialise, start, stop } from "./cluster";
import {
  type Credentials,
  freePort,
  isFree,
  newCredentials,
  readCredentials,
  writeCredentials,
} from "./credentials";
import { kill, runningPort } from "./postmaster";
import { accepts, makeOwner, ownerUrl, superuserUrl } from "./roles";

/** A PostgreSQL server of this project's own, on 127.0.0.1 only. */
export interface EmbeddedPostgres {
  /** `postgres://` URL of the role `pulumi_tenant`, no superuser, on the database that it owns. */
  readonly url: string;
  readonly superuserUrl: string;
  /** Stops the server; its data stays. */
  readonly stop: () => Promise<void>;
  /** Kills the server by SIGKILL, so that it cannot end in order; what was committed stays. */
  readonly crash: () => Promise<void>;
}

/** How an embedded server is started. */
export interface EmbeddedPostgresOptions {
  /** Holds the data, the log and the credentials; made when it is missing. */
  readonly directory: string;
  readonly report: (line: string) => void;
  /** Server settings of this run, such as `{ fsync: "off" }` for data that nobody will miss. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Whether the role of the URL may make other roles. Default: `false`. */
  readonly makesRoles?: boolean;
}

/**
 * Starts the server of a directory, which is made when there is none, and locks the directory until
 * `stop()`. When the process that had started it was killed, the server still runs: then it is used as
 * it is.
 *
 * @throws {InstanceInUseError} when another live process holds the directory
 * @throws {SetUpError} when the server cannot be made or started, with what to do
 */
export async function startEmbeddedPostgres({
  directory,
  report,
  settings = {},
  makesRoles = false,
}: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const lock = await lockInstance(directory);
  try {
    const cluster = await clusterIn(directory);
    const credentials = await credentialsFor(directory, cluster);
    if (!existsSync(dataOf(cluster))) {
      await withProgress(
        report,
        () => "database: making its files",
        () => initialise(cluster, credentials.superuserPassword),
      );
    }
    const ready = await running(directory, cluster, credentials, settings, report);
    await makeOwner(ready, makesRoles);
    return {
      url: ownerUrl(ready),
      superuserUrl: superuserUrl(ready),
      stop: async () => {
        await stop(cluster);
        await lock.release();
      },
      crash: async () => {
        await kill(dataOf(cluster));
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** The URL of the owner role, if the server of this directory runs. It is neither started nor locked. */
export async function findEmbeddedPostgres(directory: string): Promise<string | undefined> {
  const credentials = await readCredentials(directory);
  if (!credentials) return undefined;
  const url = ownerUrl(credentials);
  return (await accepts(url)) ? url : undefined;
}

async function clusterIn(directory: string): Promise<Cluster> {
  const account = await serverAccount();
  const home = join(resolve(directory), "server");
  await mkdir(home, { recursive: true, mode: 0o700 });
  await chmod(home, 0o700);
  await give(home, account);
  await checkReachable(home, account);
  return { home, binaries: await postgresBinaries(resolve(directory), account), account };
}

async function credentialsFor(directory: string, cluster: Cluster): Promise<Credentials> {
  const known = await readCredentials(directory);
  if (known) return known;
  if (existsSync(dataOf(cluster))) {
    throw new SetUpError(
      `The database in ${directory} has lost its credentials.json: put it back, ` +
        "or remove that directory, and its data with it",
    );
  }
  const made = await newCredentials();
  await writeCredentials(directory, made);
  return made;
}

/**
 * Uses the server that runs already, or starts it. When another program listens on its port, it gets
 * another port, which is written to its credentials.
 */
async function running(
  directory: string,
  cluster: Cluster,
  known: Credentials,
  settings: Readonly<Record<string, string>>,
  report: (line: string) => void,
): Promise<Credentials> {
  const port = await runningPort(dataOf(cluster));
  if (port !== undefined) {
    const left = { ...known, port };
    if (await accepts(superuserUrl(left))) return left;
    await stop(cluster);
  }
  const credentials = (await isFree(known.port)) ? known : { ...known, port: await freePort() };
  if (credentials !== known) await writeCredentials(directory, credentials);
  await withProgress(
    report,
    () => `database: starting PostgreSQL on 127.0.0.1:${credentials.port}`,
    () => start(cluster, credentials.port, settings),
  );
  return credentials;
}
