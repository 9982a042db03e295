import type { ClientBase } from "pg";
import { MigrationFailedError } from "../contract/errors";
import { assertUnedited, keepDigests } from "./applied";
import { runDbmate } from "./dbmate-process";
import { migrationVersion, type MigrationDigests } from "./migrations";
import { withMigrator, type MigrationRun, type Migrator } from "./migrator";

/** Which files are taken back, and where. */
export interface RollbackRun extends MigrationRun {
  /** The version that stays the newest. */
  readonly to: string;
}

/**
 * Undoes the applied files that are newer than a version, the newest first, by what they say after `migrate:down`.
 *
 * @returns the names of the files that were undone, in that order.
 * @throws {@link MigrationFailedError} with the file's name and PostgreSQL's message: the files before it are undone
 * then, and stay so. What `withMigrator` throws.
 */
export async function rollBack(run: RollbackRun): Promise<string[]> {
  const { schemaName, directory, files, to } = run;
  const undone: string[] = [];
  await withMigrator({ ...run, mustExist: true }, async (client, migrator) => {
    const before = await migrator.applied();
    await assertUnedited(client, schemaName, files, directory, before);
    for (const file of filesAfter(to, files, before)) {
      await undo(client, run, migrator, file);
      undone.push(file);
    }
  });
  return undone;
}

/** The applied files that are newer than a version, the newest first: dbmate undoes them in this order. */
export function filesAfter(
  to: string,
  files: MigrationDigests,
  applied: readonly string[],
): string[] {
  return Object.keys(files)
    .filter((file) => migrationVersion(file) > to && applied.includes(migrationVersion(file)))
    .sort()
    .reverse();
}

async function undo(
  client: ClientBase,
  { schemaName, directory, files, limits }: RollbackRun,
  migrator: Migrator,
  file: string,
): Promise<void> {
  // First: were this process killed after dbmate's commit, a file would be on record that is not applied, and nobody
  // would apply it again. One that is applied and not on record is found by whoever migrates next.
  await client.query(
    "delete from public.tenant_migration_digests where schema_name = $1 and file = $2",
    [schemaName, file],
  );
  const settings = await migrator.login();
  const fault = await runDbmate(
    { command: "rollback", settings, schemaName, directory, limits },
    client,
  );
  const applied = await migrator.applied();
  if (!applied.includes(migrationVersion(file))) return;
  await keepDigests(client, schemaName, files, applied);
  const why = fault?.message ?? "dbmate has undone another one";
  throw new MigrationFailedError(
    `${file} could not be undone in schema ${schemaName}: ${why}. It is applied as before`,
    { sqlstate: fault?.sqlstate },
  );
}
