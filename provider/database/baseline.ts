import { MigrationFailedError } from "../contract/errors";
import { keepDigests } from "./applied";
import type { MigrationRun } from "./migrator";
import { compareLines, describeSchema } from "./fingerprint";
import { readLiveSchema } from "./live-schema";
import { migrationVersion, newestVersion, type MigrationDigests } from "./migrations";
import { inTransaction, rowsIfAny, withConnection } from "./pool";
import { referenceOf } from "./reference";

/** How many lines of what differs are told. */
const LINES_TOLD = 10;

/**
 * Writes down the digests of files that were applied in a schema before anybody kept digests: those of the folder,
 * if the schema is what they make. Where there are digests, or nothing was applied, does nothing.
 *
 * @throws {@link MigrationFailedError} that says what differs, or which applied version has no file. Nothing was
 * changed in the schema then.
 */
export async function baseline(run: MigrationRun): Promise<void> {
  const { database, schemaName } = run;
  const live = await readLiveSchema(database, schemaName);
  if (live === undefined || live.applied.length === 0) return;
  if (await hasDigests(run)) return;
  const files = appliedFiles(run, live.applied);
  const expected = await referenceOf({ ...run, files });
  await inTransaction(database, async (client) => {
    const { missing, added } = compareLines(expected, await describeSchema(client, schemaName));
    const faults = [...told("is missing", missing), ...told("is there too", added)];
    if (faults.length > 0) throw new MigrationFailedError(differs(run, files, faults));
    await keepDigests(client, schemaName, files, live.applied);
  });
}

async function hasDigests({ database, schemaName }: MigrationRun): Promise<boolean> {
  const rows = await withConnection(database, (client) =>
    rowsIfAny(
      client,
      "select from public.tenant_migration_digests where schema_name = $1 limit 1",
      [schemaName],
    ),
  );
  return rows.length > 0;
}

function appliedFiles(
  { files, schemaName, directory }: MigrationRun,
  applied: readonly string[],
): MigrationDigests {
  const known = Object.keys(files).map(migrationVersion);
  const unknown = applied.filter((version) => !known.includes(version));
  if (unknown.length > 0) {
    throw new MigrationFailedError(
      `in schema ${schemaName} ${unknown.join(", ")} is applied, and no file in ${directory} has that version: ` +
        `add the files that were applied there`,
    );
  }
  return Object.fromEntries(
    Object.entries(files).filter(([file]) => applied.includes(migrationVersion(file))),
  );
}

function told(what: string, lines: readonly string[]): string[] {
  const more = lines.length - LINES_TOLD;
  return [
    ...lines.slice(0, LINES_TOLD).map((line) => `${what}: ${line}`),
    ...(more > 0 ? [`${what}: ${more} more`] : []),
  ];
}

function differs(
  { schemaName }: MigrationRun,
  files: MigrationDigests,
  faults: readonly string[],
): string {
  return (
    `schema ${schemaName} was migrated before anybody kept digests, and is not what the migrations up to ` +
    `${newestVersion(files)} make: make it that, then run again; nothing was changed in it:\n  ${faults.join("\n  ")}`
  );
}
