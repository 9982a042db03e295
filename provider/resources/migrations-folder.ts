import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { MigrationsUnreadableError } from "../contract/errors";
import {
  cureOfEdited,
  missingMessage,
  publicMigrationsDir,
  readMigrations,
  type MigrationDigests,
} from "../database/migrations";
import type { RawInputs } from "./dynamic";

/**
 * Makes a path that starts at Pulumi.yaml's folder relative to the folder that the program runs in. The
 * provider runs in the same one, and `main` in Pulumi.yaml may set it to another than Pulumi.yaml's.
 */
export function fromProgram(directory: string): string {
  if (path.isAbsolute(directory)) return directory;
  return path.relative("", path.resolve(pulumi.runtime.getRootDirectory(), directory)) || ".";
}

/** The folder of a schema's migrations. The public schema's is always the package's own. */
export function folderOf(inputs: RawInputs): string {
  if (inputs.schemaName === "public") return publicMigrationsDir;
  return path.resolve(String(inputs.migrationsDir));
}

/**
 * Reads a folder, and compares it with what was applied before.
 *
 * @param history The applied files.
 * @returns the folder's files; and what is wrong, in words: then they are not to be applied.
 */
export function readFolder(
  directory: string,
  history: MigrationDigests,
): { files: MigrationDigests; faults: string[] } {
  const files = readFiles(directory);
  if (typeof files === "string") return { files: {}, faults: [files] };
  return { files, faults: faultsOf(files, history, directory) };
}

/** What is wrong with a folder's files after those that were applied, in words. */
export function faultsOf(
  files: MigrationDigests,
  history: MigrationDigests,
  directory: string,
): string[] {
  const applied = Object.entries(history);
  const edited = applied.filter(([file, digest]) => (files[file] ?? digest) !== digest);
  const missing = Object.keys(history).filter((file) => files[file] === undefined);
  const faults = edited.map(([file]) => `${file} was edited after it was applied: ${cureOfEdited}`);
  if (missing.length > 0) faults.push(missingMessage(missing, directory));
  return faults;
}

function readFiles(directory: string): MigrationDigests | string {
  try {
    return readMigrations(directory);
  } catch (error) {
    if (error instanceof MigrationsUnreadableError) return error.message;
    throw error;
  }
}
