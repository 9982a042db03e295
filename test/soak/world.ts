import { randomBytes } from "node:crypto";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Client } from "pg";
import { obtainEngine } from "../../engine/obtain/obtain";
import { startTemporaryPostgres, type TemporaryPostgres } from "../../engine/postgres/temporary";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { variables } from "../../service/config/variables";
import { badNetworkTo, type BadNetwork } from "../support/bad-network";
import { startedBy } from "../support/killable-service";
import { Backend } from "./backend";
import { Instance } from "./instance";
import type { Archives } from "./scene";

/** The role as which the product would work: it may use a tenant's schema while the tenant is active. */
export const PRODUCT_ROLE = "soak_product";

/** Two instances of the service, the database and the state that they share, and nothing else. */
export interface World {
  readonly folder: string;
  readonly postgres: TemporaryPostgres;
  readonly instances: readonly [Instance, Instance];
  /** The way from each instance to the database, in the instances' order. */
  readonly networks: readonly [BadNetwork, BadNetwork];
  readonly backend: Backend;
  readonly migrations: string;
  readonly archives: Archives;
  /** What tokens are signed with. */
  readonly secret: string;
  /** What the instances are started with, but for the way to the database. */
  readonly env: NodeJS.ProcessEnv;
  /** Where the instances write what they log. */
  readonly logs: string;
}

/**
 * Makes the folders and starts the database; the instances are not started yet.
 *
 * @param tenantRoles Whether each tenant's schema belongs to a role of its own. Then nothing can be imported.
 */
export async function makeWorld(
  tenantRoles: boolean,
  report: (line: string) => void,
): Promise<World> {
  const engine = await obtainEngine(report);
  // A crash of the server, not of the machine: what is committed must be in the kernel's hands.
  const server = await startTemporaryPostgres({ fsync: "off" });
  const postgres = { ...server, url: await makeRoles(server) };
  const folder = mkdtempSync(path.join(tmpdir(), "pulumi-tenant-soak-"));
  const [migrations, logs, temporary, archive] = ["migrations", "logs", "tmp", "archives"].map(
    (name) => path.join(folder, name),
  ) as [string, string, string, string];
  for (const directory of [logs, temporary, archive]) mkdirSync(directory);
  chmodSync(folder, 0o700);
  const backend = new Backend(folder);
  layMigrations(migrations);
  const secret = randomBytes(32).toString("hex");
  const env = {
    ...withoutSettings(process.env),
    ...engine.env,
    HOST: "127.0.0.1",
    PORT: "0",
    JWT_SECRET: secret,
    PULUMI_BACKEND_URL: backend.url,
    PULUMI_CONFIG_PASSPHRASE: randomBytes(16).toString("hex"),
    TENANT_MIGRATIONS_DIR: migrations,
    PRODUCT_ROLES: PRODUCT_ROLE,
    TENANT_ROLES: String(tenantRoles),
    // Low enough that waiting callers are told 202, and bursts 503, now and then.
    SETUP_WAIT: "15",
    QUEUE_LIMIT: "16",
    SETUP_CONCURRENCY: "2",
    RATE_LIMIT: "1000",
    // What a killed instance leaves in there goes with the folder.
    TMPDIR: temporary,
  };
  const networks = [await badNetworkTo(postgres.url), await badNetworkTo(postgres.url)] as const;
  const instance = (name: string, network: BadNetwork) => {
    const DATABASE_URL = network.through(postgres.url);
    return new Instance(name, { ...env, DATABASE_URL }, path.join(logs, `${name}.log`));
  };
  const instances = [instance("one", networks[0]), instance("other", networks[1])] as const;
  const archives = {
    ...{ folder: archive, commands: [] },
    env: tenantRoles ? undefined : { ...env, DATABASE_URL: postgres.url },
  };
  const made = { folder, postgres, instances, networks, backend, migrations };
  return { ...made, archives, secret, env, logs };
}

/**
 * Makes the product's role, and a role for the service with a database of its own, which may make a role for each
 * tenant: the server's usual one loses that right whenever the server starts.
 *
 * @returns the URL for the service.
 */
async function makeRoles({ superuserUrl }: TemporaryPostgres): Promise<string> {
  const client = new Client(superuserUrl);
  await client.connect();
  const password = randomBytes(16).toString("hex");
  try {
    await client.query(`create role ${PRODUCT_ROLE}`);
    await client.query(`create role soak login createrole password '${password}'`);
    await client.query("create database soak owner soak");
  } finally {
    await client.end();
  }
  const url = new URL(superuserUrl);
  Object.assign(url, { username: "soak", password, pathname: "/soak" });
  return url.href;
}

/** Ends everything that is left, at once, and removes it; the instances' logs stay when asked for. */
export async function endWorld(world: World, keepLogs: boolean): Promise<void> {
  const { instances, networks, postgres, folder, archives } = world;
  await Promise.all(instances.map((instance) => instance.close("SIGKILL")));
  for (const command of archives.commands) command.kill("SIGKILL");
  const ended = [
    ...instances.flatMap(({ pids }) => pids),
    ...archives.commands.map(({ pid }) => pid),
  ];
  // One that is paused does not notice that its instance is gone.
  for (const { pid } of ended.flatMap(startedBy)) endProcess(pid);
  await Promise.all(networks.map((network) => network.close()));
  await postgres.stop();
  const rest = keepLogs
    ? [world.backend.folder, path.join(folder, "tmp"), archives.folder]
    : [folder];
  for (const directory of rest) rmSync(directory, { recursive: true, force: true });
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}

/** This package's own, and one that takes long enough to be met by a kill. */
function layMigrations(directory: string): void {
  cpSync(tenantMigrationsDir, directory, { recursive: true });
  writeFileSync(
    path.join(directory, "20991231000000_create_waits.sql"),
    "-- migrate:up\ncreate table waits (id int);\nselect pg_sleep(0.15);\n" +
      "-- migrate:down\ndrop table waits;\n",
  );
}

/** The environment without what the service reads, which is the soak's to set. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const known = Object.keys(variables.shape);
  return Object.fromEntries(Object.entries(env).filter(([name]) => !known.includes(name)));
}
