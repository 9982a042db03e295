import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { obtainEngine } from "../../engine/obtain/obtain";
import { MARK } from "../../service/system/processes";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { startService } from "./service-process";
import { testSecret } from "./service-tokens";

/** The service as a process of its own, with the real engine. */
export interface KillableService {
  readonly url: string;
  readonly child: ChildProcess;
  /** The service's log. */
  readonly log: () => string;
  /** Kills it without a word, as the kernel does. */
  kill(): Promise<void>;
  /** Lets it end what runs. */
  stop(): Promise<void>;
}

/**
 * Starts the service on a free port; what it was started with must be in `env`.
 *
 * @param through The command that starts it, such as `prlimit`, which must become the service.
 */
export async function startServiceProcess(
  env: Record<string, string>,
  through: readonly string[] = [],
): Promise<KillableService> {
  const engine = await obtainEngine(() => undefined);
  const { child, output, url } = startService(
    {
      ...engine.env,
      JWT_SECRET: testSecret,
      PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests",
      TENANT_MIGRATIONS_DIR: tenantMigrationsDir,
      // Making more would take the processor from the tests.
      SPARE_STACKS: "1",
      ...env,
    },
    through,
  );
  // What it started may hold its streams open for longer.
  const exited = once(child, "exit");
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await exited;
  };
  return {
    ...{ url: await url, child, log: output },
    ...{ kill: () => end("SIGKILL"), stop: () => end("SIGTERM") },
  };
}

/** A process that a service started. */
export interface Started {
  readonly pid: number;
  readonly command: string;
}

/** What the service with this process id started and is still there, by the mark in its environment. */
export function startedBy(service: number | undefined): Started[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const marked = readFileSync(`/proc/${name}/environ`, "utf8")
        .split("\0")
        .some((entry) => entry.startsWith(`${MARK}=`) && entry.split("/")[2] === String(service));
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
      return marked && command !== "" ? [{ pid: Number(name), command }] : [];
    } catch {
      return [];
    }
  });
}

/** Waits until something is there. */
export async function eventually<T>(
  look: () => Promise<T | undefined> | T | undefined,
  patience = 180_000,
): Promise<T> {
  const began = performance.now();
  while (performance.now() - began < patience) {
    const found = await look();
    if (found !== undefined) return found;
    await delay(20);
  }
  throw new Error(`not so after ${patience} ms: ${look.toString()}`);
}
