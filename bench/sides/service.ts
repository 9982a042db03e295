import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import path from "node:path";
import { sign } from "jsonwebtoken";
import { residentMemory, treeOf, untilIdle } from "../measure/processes";
import { newTenant } from "../measure/tenants";
import { environmentOf, type ServiceSettings } from "./service-environment";

/** The service as a process of its own, with its defaults. */
export interface Service {
  readonly pid: number;
  readonly databaseUrl: string;
  /** Sends a request for a new tenant and waits for the 201. @throws Error at any other answer. */
  readonly setUp: () => Promise<SetUp>;
  /** Has it begin a rollout of what its tenants lack. @throws Error where none lacks anything. */
  readonly beginRollout: () => Promise<void>;
  /** Waits until it uses no CPU: then it has prepared what it can for the next request. */
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

const main = path.resolve(__dirname, "../../service/main.js");

/**
 * Starts the service and waits until it listens.
 *
 * @throws Error when it ends before; the message holds the end of its log.
 */
export async function startService(settings: ServiceSettings): Promise<Service> {
  const secret = randomBytes(32).toString("base64");
  const child = spawn(process.execPath, [main], {
    env: environmentOf(settings, secret),
    // When this process ends, the IPC channel closes, and the service stops.
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    // In a process group of its own, a Ctrl-C in the terminal does not reach it: the bench stops it, after
    // the requests that wait for its answer.
    detached: true,
  });
  const url = await addressOf(child);
  const pid = child.pid ?? 0;
  const permissions = ["CREATE_TENANT", "MIGRATE_TENANTS"];
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
    beginRollout: async () => {
      const headers = { Authorization: `Bearer ${token}` };
      const { status } = await fetch(`${url}/api/rollouts`, { method: "POST", headers });
      if (status !== 202) throw new Error(`no rollout was begun: ${status}`);
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

/** The URL that the service listens on, from its log. The log is read to its end: a full pipe would stop the service. */
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
  // After the address is known nobody awaits this promise, and its rejection must not end the bench.
  ended.catch(() => undefined);
  return Promise.race([address, ended]);
}
