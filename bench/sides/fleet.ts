import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { residentMemory } from "../measure/processes";

/** What the command is run on. */
export interface FleetParts {
  readonly databaseUrl: string;
  readonly migrationsDir: string;
}

const main = path.resolve(__dirname, "../../fleet/main.js");

/**
 * Runs `npm run fleet -- …` as a process of its own, without npm.
 *
 * @param onProgress Gets, each time the command says how far its rollout is, the tenants that are done, and the
 * memory of the command's process, in MB.
 * @throws Error with what it said, where it does not exit with 0.
 */
export async function runFleet(
  { databaseUrl, migrationsDir }: FleetParts,
  args: readonly string[],
  onProgress: (done: number, memoryMb: number) => void = () => undefined,
): Promise<void> {
  const child = spawn(process.execPath, [main, ...args, "--json"], {
    env: { ...process.env, DATABASE_URL: databaseUrl, TENANT_MIGRATIONS_DIR: migrationsDir },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let complaint = "";
  child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
  createInterface(child.stdout).on("line", (line) => {
    const said = JSON.parse(line) as { event?: string; done?: number };
    if (said.event !== "progress" || child.pid === undefined) return;
    onProgress(said.done ?? 0, residentMemory(child.pid));
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`fleet ${args.join(" ")} exited with ${code}: ${complaint}`);
}
