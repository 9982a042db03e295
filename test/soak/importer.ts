import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readArchive } from "../../provider/archive/read";
import { addresses, download } from "./client";
import type { Exported } from "./ledger";
import type { Archives, Scene } from "./scene";

const main = path.resolve(__dirname, "../../service/import.js");

/** How long a command is begun again that did not come to its end, in ms: the database may be away. */
const PATIENCE = 300_000;

/** What a caller does with an archive. */
export interface PlannedImport {
  /** Of the new tenant. */
  readonly slug: string;
  /** After how many ms the first command is killed; undefined for not at all. */
  readonly killAfter: number | undefined;
}

/** Exports a tenant, reads the archive, and makes another tenant from it. */
export async function exportAndImport(
  { instances, ledger, archives }: Scene,
  { tenantId, token, instance }: { tenantId: string; token: string; instance: number },
  planned: PlannedImport,
): Promise<void> {
  const address = addresses(instances, instance);
  const { outcome, bytes } = await download(address, `/api/tenant/${tenantId}/export`, token);
  ledger.reads.push({ what: "export", right: [200, 404, 409], outcome });
  if (bytes === undefined) return;
  const file = path.join(archives.folder, `${planned.slug}.tar`);
  await writeFile(file, bytes);
  const exported: Exported = { tenantId, fault: undefined };
  ledger.exports.push(exported);
  try {
    const { manifest } = await readArchive(file);
    if (manifest.tenant.id !== tenantId) exported.fault = `is of ${manifest.tenant.id}`;
    if (archives.env === undefined) return;
    const { name } = manifest.tenant;
    const sent = { slug: planned.slug, name, outcome: "not over" };
    const imported = { ...sent, ...(await makeFrom(file, planned, archives)) };
    ledger.imports.push(imported);
    ledger.learn(imported.id, planned.slug);
  } catch (error) {
    exported.fault = String(error);
  } finally {
    await rm(file);
  }
}

/** Runs the command until it says that the tenant is there. */
async function makeFrom(
  file: string,
  { slug, killAfter }: PlannedImport,
  archives: Archives,
): Promise<{ id?: string | undefined; outcome: string }> {
  const began = performance.now();
  let kill = killAfter;
  for (;;) {
    const { code, said } = await run([file, "--slug", slug], archives, kill);
    kill = undefined;
    const [, id] = new RegExp(`^${slug} \\((\\S+)\\) is active`, "m").exec(said) ?? [];
    if (code === 0) return { id, outcome: "made" };
    if (performance.now() - began > PATIENCE) return { outcome: `${code}: ${said.slice(-500)}` };
    await delay(500);
  }
}

async function run(
  args: readonly string[],
  { env, commands }: Archives,
  killAfter: number | undefined,
): Promise<{ code: number | string; said: string }> {
  const child = spawn(process.execPath, [main, ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  commands.push(child);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
  }
  const timer =
    killAfter === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfter);
  // What it started may hold its streams open for longer.
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  clearTimeout(timer);
  return { code: code ?? signal ?? "gone", said };
}
