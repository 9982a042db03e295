import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { isRunning, ownTag } from "../system/processes";

/** The Pulumi project that all of the service's stacks belong to. */
export const PROJECT = "tenant-service";

const packageRoot = path.resolve(__dirname, "../../..");

const PREFIX = "pulumi-tenant-run-";

/** Makes a folder for what this process writes while it runs, and removes those that killed processes left behind. */
export function makeRoot(): string {
  for (const name of readdirSync(tmpdir())) {
    const [, tag] = new RegExp(`^${PREFIX}(\\d+-\\d+-\\d+)-`).exec(name) ?? [];
    if (tag === undefined || isRunning(tag)) continue;
    rmSync(path.join(tmpdir(), name), { recursive: true, force: true });
  }
  return mkdtempSync(path.join(tmpdir(), `${PREFIX}${ownTag()}-`));
}

/**
 * Makes the working folder of one host. Each host has its own, because the CLI writes settings files of stacks
 * into it and would read those of another host. Through its link to node_modules the dynamic provider finds
 * its modules.
 */
export function makeWorkDir(root: string): string {
  const directory = mkdtempSync(path.join(root, "host-"));
  writeFileSync(path.join(directory, "Pulumi.yaml"), `name: ${PROJECT}\nruntime: nodejs\n`);
  symlinkSync(path.join(packageRoot, "node_modules"), path.join(directory, "node_modules"));
  return directory;
}
