import { lstatSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { PROJECT } from "../config/project";
import { isRunning, ownTag } from "../system/processes";

const packageRoot = path.resolve(__dirname, "../../..");

const PREFIX = "pulumi-tenant-run-";

/**
 * Makes a folder for what this process writes while it runs, and removes those that killed processes of the same
 * user left behind.
 *
 * @param parent The folder in which it is made.
 */
export function makeRoot(parent = tmpdir()): string {
  for (const name of readdirSync(parent)) {
    const [, tag] = new RegExp(`^${PREFIX}([\\da-f]{12}-\\d+-\\d+-\\d+)-`).exec(name) ?? [];
    if (tag !== undefined && !isRunning(tag)) removeOwn(path.join(parent, name));
  }
  return mkdtempSync(path.join(parent, `${PREFIX}${ownTag()}-`));
}

/**
 * Removes a folder of this process's user, and no other: anybody may write into the system's folder, under any
 * name. One that cannot be removed stays, and is no reason not to start.
 */
function removeOwn(folder: string): void {
  try {
    const { uid } = lstatSync(folder);
    if (uid !== process.getuid?.()) return;
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // Another instance, which started just now too, has removed it.
  }
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
