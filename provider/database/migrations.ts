import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { MigrationsUnreadableError } from "../contract/errors";

/** Migration file name → SHA-256 of its bytes in hex, in the order dbmate runs them. */
export type MigrationDigests = Record<string, string>;

const packaged = path.resolve(__dirname, "../../../migrations");

/** The control tables that this package keeps in the public schema. */
export const publicMigrationsDir = path.join(packaged, "public");

/** The tables of a product to show how it works: the embedded mode gives them to every tenant. */
export const tenantMigrationsDir = path.join(packaged, "tenant");

/**
 * Reads which migrations a folder holds.
 *
 * @throws {@link MigrationsUnreadableError} when the folder cannot be read, has no `.sql` file, has one that
 * dbmate would silently ignore because of its name, or two of the same version.
 */
export function readMigrations(directory: string): MigrationDigests {
  const names = listFiles(directory).filter((name) => name.endsWith(".sql"));
  if (names.length === 0)
    throw new MigrationsUnreadableError(`there is no .sql file in ${directory}`);
  const misnamed = names.filter((name) => !/^\d+[^/]*\.sql$/.test(name));
  if (misnamed.length > 0) {
    throw new MigrationsUnreadableError(
      `a migration's name starts with its version, digits only; rename ${misnamed.join(", ")} in ${directory}`,
    );
  }
  const versions = new Map<string, string>();
  const digests: MigrationDigests = {};
  for (const name of names.sort()) {
    const twin = versions.get(migrationVersion(name));
    if (twin !== undefined) {
      throw new MigrationsUnreadableError(`${twin} and ${name} have the same version; rename one`);
    }
    versions.set(migrationVersion(name), name);
    digests[name] = createHash("sha256")
      .update(readFileSync(path.join(directory, name)))
      .digest("hex");
  }
  return digests;
}

/** The version that dbmate records for a file: the digits at the start of its name. */
export function migrationVersion(file: string): string {
  return /^\d+/.exec(file)?.[0] ?? "";
}

/** The newest version among the files, or "" where there is none. */
export function newestVersion(digests: MigrationDigests): string {
  return Object.keys(digests).map(migrationVersion).sort().at(-1) ?? "";
}

/** What to do about an applied file that is not as it was. */
export const cureOfEdited = "restore it, and write a new migration instead";

/**
 * Says of applied files that the folder does not have them, and what to do about it: nobody can restore a file
 * of this package, and a folder may be an older version of itself.
 */
export function missingMessage(missing: readonly string[], directory: string): string {
  const [names, newest] = [missing.join(", "), newestVersion(readMigrations(directory))];
  const older = `is older than what is applied, which has ${names} too`;
  if ([publicMigrationsDir, tenantMigrationsDir].includes(directory)) {
    return `the installed package ${older}: upgrade pulumi-tenant`;
  }
  return missing.every((file) => migrationVersion(file) > newest)
    ? `the migrations' folder ${older}: bring it up to date, or restore what was taken out of it`
    : `${names} is gone after it was applied: ${cureOfEdited}`;
}

function listFiles(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => statSync(path.join(directory, name)).isFile());
  } catch (error) {
    throw new MigrationsUnreadableError(`the migrations' folder ${directory} cannot be read`, {
      cause: error,
    });
  }
}
