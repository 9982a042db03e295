import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { finished } from "node:stream/promises";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { testSecret } from "./service-tokens";

/** The service as a process of its own. */
export interface ServiceProcess {
  readonly child: ChildProcess;
  /** All that it wrote so far, on both streams. */
  readonly output: () => string;
  /** The parsed lines of its log. */
  log(): Record<string, unknown>[];
  /** Where it serves; resolves when it does, rejects when it ends before. */
  readonly url: Promise<string>;
  /** Resolves with the exit code when it has ended. */
  readonly ended: Promise<number | null>;
  /** Sends a signal to its whole group, as a terminal does. */
  signal(name: NodeJS.Signals): void;
}

const main = path.resolve(__dirname, "../../service/main.js");
const running = new Set<ServiceProcess>();

/**
 * Starts `dist/service/main.js` with an environment of its own, in a group of its own, with an IPC
 * channel by which it ends when the tests are killed.
 *
 * @param through The command that starts it, such as `prlimit`, which must become the service.
 */
export function startService(
  env: Record<string, string>,
  through: readonly string[] = [],
): ServiceProcess {
  const { PATH = "", HOME = "" } = process.env;
  const [command, ...args] = [...through, process.execPath, main];
  const child = spawn(command, args, {
    env: { PATH, HOME, PORT: "0", ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    detached: true,
  });
  const { pid, stdout, stderr } = child;
  if (pid === undefined || stdout === null || stderr === null) throw new Error("no process");
  let output = "";
  const keep = (chunk: Buffer) => (output += chunk.toString());
  stdout.on("data", keep);
  stderr.on("data", keep);
  const log = () =>
    output
      .split("\n")
      .filter((line) => /^\{.*\}$/.test(line))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  // The event "close" never comes once the channel was disconnected from this side.
  const ended = Promise.all([once(child, "exit"), finished(stdout), finished(stderr)]).then(
    ([[code]]) => {
      running.delete(service);
      return code as number | null;
    },
  );
  const url = new Promise<string>((resolve, reject) => {
    stdout.on("data", () => {
      const line = log().find(({ msg }) => msg === "listening");
      if (line !== undefined) resolve(String(line.address));
    });
    void ended.then((code) => reject(new Error(`ended with ${String(code)}: ${output}`)));
  });
  // A test that waits for the end only must not fail by the start.
  url.catch(() => undefined);
  const signal = (name: NodeJS.Signals) => void process.kill(-pid, name);
  const service = { child, output: () => output, log, url, ended, signal };
  running.add(service);
  return service;
}

/** What a service on a database of its own is configured with, and a folder for its state. */
export function serviceEnvironment(
  databaseUrl: string,
): Record<string, string> & { state: string } {
  const state = temporaryFolder("service-state-");
  return {
    DATABASE_URL: databaseUrl,
    JWT_SECRET: testSecret,
    PULUMI_BACKEND_URL: `file://${state}`,
    PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests",
    TENANT_MIGRATIONS_DIR: tenantMigrationsDir,
    // Making more would take the processor from the tests.
    SPARE_STACKS: "1",
    state,
  };
}

const folders: string[] = [];

/** A folder that {@link cleanUpServices} removes. */
export function temporaryFolder(prefix: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), prefix));
  folders.push(folder);
  return folder;
}

/** Ends what still runs, as it ends by itself, and removes the folders. */
export async function cleanUpServices(): Promise<void> {
  await Promise.all(
    [...running].map(async (service) => {
      service.signal("SIGTERM");
      await service.ended;
    }),
  );
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}
