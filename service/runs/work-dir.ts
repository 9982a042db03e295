import { mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { PROJECT } from "./owner";

const packageRoot = path.resolve(__dirname, "../../..");

/**
 * A folder for one host: the CLI writes settings of every stack into it, and what was written by
 * another host or service would be wrong. The dynamic provider finds its modules from it.
 */
export function makeWorkDir(root: string): string {
  const directory = mkdtempSync(path.join(root, "host-"));
  writeFileSync(path.join(directory, "Pulumi.yaml"), `name: ${PROJECT}\nruntime: nodejs\n`);
  symlinkSync(path.join(packageRoot, "node_modules"), path.join(directory, "node_modules"));
  return directory;
}
