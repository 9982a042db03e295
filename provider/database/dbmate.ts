import { Semaphore } from "async-mutex";
import type { ClientBase } from "pg";
import { MigrationFailedError } from "../contract/errors";
import { assertUnedited, keepDigests, pendingFiles } from "./applied";
import { runDbmate, sessionName } from "./dbmate-process";
import { assertNotLost } from "./lost-data";
import type { MigrationDigests } from "./migrations";
import { withSessionLock } from "./pool";
import type { DatabaseAddress } from "./settings";

/** Where migrations run, and which. */
export interface MigrationRun {
  readonly database: DatabaseAddress;
  /** The schema they run in; also the only one on the search path. */
  readonly schemaName: string;
  /** The folder they are in. */
  readonly directory: string;
  /** The files that must be applied at the end. */
  readonly files: MigrationDigests;
  /** Whether a schema whose tables are gone is made anew, empty. Default: `false`. */
  readonly recreate?: boolean;
}

// Each run holds two connections until it ends, and PostgreSQL has a hundred by default.
const slots = new Semaphore(8);

/**
 * Applies the files that are not applied yet, by dbmate, one process at a time for each schema. Starts no
 * process where all are applied.
 *
 * @throws {@link MigrationFailedError} with the file's name and PostgreSQL's message;
 * {@link DataGoneError} where the schema was migrated before and nothing of that is left;
 * {@link ConfigurationError} where the database's variable is not usable; errors of pg as they are.
 */
export async function migrate(run: MigrationRun): Promise<void> {
  await slots.runExclusive(() =>
    withSchemaLock(run, async (client) => {
      const { schemaName, files, directory, recreate } = run;
      await assertNotLost(client, schemaName, recreate);
      const onRecord = await assertUnedited(client, schemaName, files, directory);
      const isCurrent = (await pendingFiles(client, schemaName, files)).length === 0;
      const fault = isCurrent ? undefined : await runDbmate(run, client);
      // Digests may be missing where all files are applied: a run may have been killed between the two.
      if (!isCurrent || onRecord < Object.keys(files).length) {
        await keepDigests(client, schemaName, files);
      }
      if (fault !== undefined) throw await failure(client, run, fault);
    }),
  );
}

/**
 * Holds a lock on the schema while `work` runs. dbmate takes none of its own: two of them at once would
 * run the same file twice.
 */
async function withSchemaLock(
  { database, schemaName }: MigrationRun,
  work: (client: ClientBase) => Promise<void>,
): Promise<void> {
  const waitMs = 0; // without a limit: whoever has the lock may be at a long migration
  const name = `pulumi-tenant migrations ${schemaName}`;
  await withSessionLock(database, name, waitMs, async (client) => {
    await endOrphans(client, schemaName);
    await work(client);
  });
}

/**
 * Ends the sessions of dbmate that a killed run left: PostgreSQL gave back that run's lock at once, while
 * its migration may still be running in the server. Whoever has the lock has started no dbmate yet, so
 * every session with the schema's name is such a one.
 */
async function endOrphans(client: ClientBase, schemaName: string): Promise<void> {
  for (;;) {
    const { rowCount } = await client.query(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity
      where application_name = $1 and datname = current_database()`,
      [sessionName(schemaName)],
    );
    if (rowCount === 0) return;
  }
}

async function failure(
  client: ClientBase,
  { schemaName, files }: MigrationRun,
  fault: string,
): Promise<MigrationFailedError> {
  const total = Object.keys(files).length;
  const pending = await pendingFiles(client, schemaName, files);
  return new MigrationFailedError(
    `migration ${pending[0] ?? "run"} failed in schema ${schemaName}: ${fault}. ` +
      `${total - pending.length} of ${total} are applied and stay`,
  );
}
