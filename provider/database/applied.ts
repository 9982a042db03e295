import type { ClientBase } from "pg";
import { MigrationFailedError } from "../contract/errors";
import {
  cureOfEdited,
  migrationVersion,
  missingMessage,
  type MigrationDigests,
} from "./migrations";
import { rowsIfAny } from "./pool";

/**
 * The versions applied in a schema, oldest first; undefined where the schema is not there. What a migration
 * has put in the place of dbmate's table, such as a view, runs as the role that asks: for a schema with an
 * owner of its own, `client` is logged in as that.
 */
export async function appliedVersions(
  client: ClientBase,
  schemaName: string,
): Promise<string[] | undefined> {
  const found = await client.query("select from pg_namespace where nspname = $1", [schemaName]);
  if (found.rowCount === 0) return undefined;
  const table = `${client.escapeIdentifier(schemaName)}.schema_migrations`;
  const rows = await rowsIfAny<{ version: string }>(
    client,
    `select version::text from ${table} order by 1`,
  );
  return rows.map((row) => row.version);
}

/** The names of the files that are not applied yet, in the order in which dbmate runs them. */
export function pendingFiles(files: MigrationDigests, applied: readonly string[]): string[] {
  const versions = new Set(applied);
  return Object.keys(files).filter((file) => !versions.has(migrationVersion(file)));
}

/**
 * Compares the applied files with their digests in the control table. The state has digests as well, but
 * not of the files of a run that failed, and a state can be lost.
 *
 * @param directory The folder that the files are in.
 * @param applied The versions that are applied.
 * @returns how many files have a digest on record.
 * @throws {@link MigrationFailedError} naming the files that were edited since, or are not there any more.
 */
export async function assertUnedited(
  client: ClientBase,
  schemaName: string,
  files: MigrationDigests,
  directory: string,
  applied: readonly string[],
): Promise<number> {
  const rows = await rowsIfAny<{ file: string; digest: string }>(
    client,
    "select file, digest from public.tenant_migration_digests where schema_name = $1",
    [schemaName],
  );
  const differing = rows
    .filter(({ file }) => applied.includes(migrationVersion(file)))
    .filter(({ file, digest }) => files[file] !== digest)
    .map(({ file }) => file);
  const missing = differing.filter((file) => files[file] === undefined);
  // Instances of two versions of the service may work side by side on the same control tables.
  if (missing.length > 0 && schemaName !== "public") {
    throw new MigrationFailedError(`in schema ${schemaName} ${missingMessage(missing, directory)}`);
  }
  const edited = differing.filter((file) => files[file] !== undefined);
  if (edited.length === 0) return rows.length;
  throw new MigrationFailedError(
    `${edited.join(", ")} was edited after it was applied in schema ${schemaName}: ${cureOfEdited}`,
  );
}

/**
 * Writes down the digests of the files that are applied by now. Does nothing where the control table for
 * them does not exist, as in a database whose control tables are somebody else's.
 */
export async function keepDigests(
  client: ClientBase,
  schemaName: string,
  files: MigrationDigests,
  applied: readonly string[],
): Promise<void> {
  const kept = Object.entries(files).filter(([file]) => applied.includes(migrationVersion(file)));
  await rowsIfAny(
    client,
    `insert into public.tenant_migration_digests (schema_name, file, digest)
    select $1, * from unnest($2::text[], $3::text[])
    on conflict (schema_name, file) do update set digest = excluded.digest
      where tenant_migration_digests.digest <> excluded.digest`,
    [schemaName, kept.map(([file]) => file), kept.map(([, digest]) => digest)],
  );
}
