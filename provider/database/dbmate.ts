import type { ClientBase } from "pg";
import { MigrationFailedError } from "../contract/errors";
import { assertUnedited, keepDigests, pendingFiles } from "./applied";
import { runDbmate, type DbmateFault } from "./dbmate-process";
import { migrationVersion } from "./migrations";
import { withMigrator, type MigrationRun, type Migrator } from "./migrator";

/**
 * Applies the files that are not applied yet, by dbmate, one process at a time for each schema. Starts no
 * process where all are applied.
 *
 * @throws {@link MigrationFailedError} with the file's name and PostgreSQL's message;
 * {@link TenantGoneError} where the schema must exist and does not;
 * {@link DataGoneError} where the schema was migrated before and nothing of that is left;
 * {@link ConfigurationError} where the database's variable is not usable; errors of pg as they are: SQLSTATE 55P03
 * where another run on the schema has not ended in time.
 */
export async function migrate(run: MigrationRun): Promise<void> {
  await withMigrator(run, (client, migrator) => apply(client, run, migrator));
}

async function apply(client: ClientBase, run: MigrationRun, migrator: Migrator): Promise<void> {
  const { schemaName, directory, files, limits } = run;
  const before = await migrator.applied();
  const onRecord = await assertUnedited(client, schemaName, files, directory, before);
  const isCurrent = pendingFiles(files, before).length === 0;
  const fault = isCurrent
    ? undefined
    : await runDbmate(
        { command: "migrate", settings: await migrator.login(), schemaName, directory, limits },
        client,
      );
  const applied =
    fault === undefined ? Object.keys(files).map(migrationVersion) : await migrator.applied();
  // Digests may be missing where all files are applied: a run may have been killed between the two.
  if (!isCurrent || onRecord < Object.keys(files).length) {
    await keepDigests(client, schemaName, files, applied);
  }
  if (fault !== undefined) throw failure(run, fault, applied);
}

function failure(
  { schemaName, files }: MigrationRun,
  fault: DbmateFault,
  applied: readonly string[],
): MigrationFailedError {
  const total = Object.keys(files).length;
  const pending = pendingFiles(files, applied);
  return new MigrationFailedError(
    `migration ${pending[0] ?? "run"} failed in schema ${schemaName}: ${fault.message}. ` +
      `${total - pending.length} of ${total} are applied and stay`,
    { sqlstate: fault.sqlstate },
  );
}
