import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** A copy of the checkout, to be broken. */
export interface Tree {
  readonly root: string;
  /** Where its programs make their temporary files: a fault may remove more than it should. */
  readonly tmp: string;
  /** Aborted when nothing is to be tried any more. */
  readonly stop: AbortSignal;
  /** The text of one file of `dist`. */
  read(file: string): string;
  /** Writes one file of `dist`. */
  write(file: string, code: string): void;
  remove(): void;
}

/** What is not copied: what nobody needs there, and what is linked. */
const notCopied = new Set([".git", ".data", ".engine", "node_modules"]);

/** Copies the checkout, as it is built. */
export function copyTree(checkout: string, stop: AbortSignal): Tree {
  const folder = mkdtempSync(path.join(tmpdir(), "mutants-"));
  // As root, a test's PostgreSQL runs under another account, which must be able to enter.
  chmodSync(folder, 0o755);
  const [root, tmp] = [path.join(folder, "tree"), path.join(folder, "tmp")];
  mkdirSync(tmp);
  chmodSync(tmp, 0o1777);
  for (const name of readdirSync(checkout)) {
    if (notCopied.has(name)) continue;
    cpSync(path.join(checkout, name), path.join(root, name), { recursive: true });
  }
  linkPackages(path.join(checkout, "node_modules"), path.join(root, "node_modules"));
  symlinkSync(path.join(checkout, ".engine"), path.join(root, ".engine"));
  return {
    ...{ root, tmp, stop },
    read: (file) => readFileSync(path.join(root, "dist", file), "utf8"),
    write: (file, code) => writeFileSync(path.join(root, "dist", file), code),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Links each package, but this one: by its name, too, a program finds the copy. */
function linkPackages(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    if (name === "pulumi-tenant") symlinkSync("..", path.join(to, name));
    else symlinkSync(path.join(from, name), path.join(to, name));
  }
}
