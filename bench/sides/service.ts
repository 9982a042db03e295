import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import path from "node:path";
import { sign } from "jsonwebtoken";
import { variables } from "../../service/config/variables";
import { residentMemory, treeOf, untilIdle } from "../measure/processes";
import { newTenant } from "../measure/tenants";

/** The service as a process of its own, with its defaults. */
export interface Service {
  readonly pid: number;
  readonly databaseUrl: string;
  /** Sends a request for a new tenant and waits for 201. */
  readonly setUp: () => Promise<SetUp>;
  /** Waits until it has nothing to do, so that its preparations for the next request are over. */
  readonly idle: () => Promise<void>;
  /** How many tenants it has set up. */
  readonly count: () => number;
  readonly stop: () => Promise<void>;
}

/** One request and its answer, in ms since 1970. */
export interface SetUp {
  readonly slug: string;
  readonly sent: number;
  readonly answered: number;
}

/** What a service is started with. */
export interface ServiceSettings {
  readonly databaseUrl: string;
  readonly backendUrl: string;
  readonly migrationsDir?: string | undefined;
  /** Default: the service's own. */
  readonly spareStacks?: number;
  /** What the CLI needs to find its plugins. */
  readonly engine: Readonly<Record<string, string>>;
}

const main = path.resolve(__dirname, "../../service/main.js");

/** @throws when it ends before it listens, with the last thing it said. */
export async function startService(settings: ServiceSettings): Promise<Service> {
  const secret = randomBytes(32).toString("base64");
  const child = spawn(process.execPath, [main], {
    env: environment(settings, secret),
    // Its end of the channel tells it when this process is gone.
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    // A group of its own: a Ctrl-C must not end it before what waits for it.
    detached: true,
  });
  const url = await addressOf(child);
  const pid = child.pid ?? 0;
  const permissions = ["CREATE_TENANT"];
  const token = sign({ sub: "bench", permissions }, secret, { expiresIn: "1h" });
  let count = 0;
  return {
    pid,
    databaseUrl: settings.databaseUrl,
    count: () => count,
    idle: () => untilIdle(pid),
    setUp: async () => {
      const tenant = newTenant();
      const sent = Date.now();
      const began = performance.now();
      const response = await fetch(`${url}/api/tenant/setup`, {
        method: "POST",
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
        body: JSON.stringify(tenant),
      });
      const text = await response.text();
      const answered = sent + performance.now() - began;
      if (response.status !== 201) throw new Error(`answer ${response.status}: ${text}`);
      count += 1;
      return { slug: tenant.slug, sent, answered };
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

/** How long a caller waited for the answer, in ms. */
export function latencyOf({ sent, answered }: SetUp): number {
  return answered - sent;
}

/** The memory of the service's own process, and of all that it keeps running, in MB. */
export function memoryOf({ pid }: Service): { own: number; all: number } {
  const all = treeOf(pid).reduce((sum, each) => sum + residentMemory(each.pid), 0);
  return { own: residentMemory(pid), all };
}

/** The service's options that the environment sets, which are passed on: `NAME=value` each. */
export function optionsSet(env: NodeJS.ProcessEnv): string[] {
  return Object.keys(variables.shape)
    .filter((name) => env[name] !== undefined && !(name in own))
    .map((name) => `${name}=${env[name] ?? ""}`);
}

/** Where it works, and for whom, is the bench's. */
const own = {
  DATABASE_URL: undefined,
  PULUMI_BACKEND_URL: undefined,
  PULUMI_CONFIG_PASSPHRASE: undefined,
  TENANT_MIGRATIONS_DIR: undefined,
  JWT_SECRET: undefined,
  JWT_PUBLIC_KEY: undefined,
  JWT_ISSUER: undefined,
  JWT_AUDIENCE: undefined,
  DATA_DIR: undefined,
  HOST: "127.0.0.1",
  PORT: "0",
  LOG_LEVEL: "info",
  // More than a person would ask for in a minute.
  RATE_LIMIT: "100000",
  // Slow is measured, not answered with 202.
  SETUP_WAIT: "300",
};

function environment(settings: ServiceSettings, secret: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    ...settings.engine,
    ...own,
    DATABASE_URL: settings.databaseUrl,
    PULUMI_BACKEND_URL: settings.backendUrl,
    PULUMI_CONFIG_PASSPHRASE: randomBytes(16).toString("hex"),
    TENANT_MIGRATIONS_DIR: settings.migrationsDir,
    ...(settings.spareStacks === undefined ? {} : { SPARE_STACKS: String(settings.spareStacks) }),
    JWT_SECRET: secret,
  };
}

/** Where it listens. Its log is read to the end, or it would stop at a full pipe. */
async function addressOf(child: ChildProcess): Promise<string> {
  let said = "";
  const address = new Promise<string>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-4_000);
        const [, url] = /"address":"([^"]+)"/.exec(said) ?? [];
        if (url !== undefined) resolve(url);
      });
    }
  });
  const ended = once(child, "exit").then(() => {
    throw new Error(`the service ended: ${said}`);
  });
  // Once it listens, its end is another's business.
  ended.catch(() => undefined);
  return Promise.race([address, ended]);
}
