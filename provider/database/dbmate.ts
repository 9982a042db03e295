import { Semaphore } from "async-mutex";
import type { ClientBase } from "pg";
import { MigrationFailedError, TenantGoneError } from "../contract/errors";
import { appliedVersions, assertUnedited, keepDigests, pendingFiles } from "./applied";
import type { SessionLimits } from "./client-config";
import { runDbmate, type DbmateFault } from "./dbmate-process";
import { assertNotLost } from "./lost-data";
import { migrationVersion, type MigrationDigests } from "./migrations";
import { closeLogin, openLogin } from "./owner-login";
import { appliedAsOwner } from "./live-schema";
import { endIsolation, isolateSchema } from "./owner-role";
import { withSchemaLock } from "./schema-lock";
import { settingsOf, type ConnectionSettings, type DatabaseAddress } from "./settings";

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
  /** Whether the schema has an owner of its own, as whom they run. Default: `false`. */
  readonly isolate?: boolean;
  /** Whether a schema that is not there is an error, and not made. Default: `false`. */
  readonly mustExist?: boolean;
  /** How long to wait for another run on the schema. Default: 0, without a limit: it may be at a long migration. */
  readonly waitMs?: number;
  /** Of the session in which they run. */
  readonly limits?: SessionLimits;
}

// Each run holds two connections until it ends, and PostgreSQL has a hundred by default.
const slots = new Semaphore(8);

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
  const { database, schemaName, isolate = false, waitMs = 0 } = run;
  await slots.runExclusive(() =>
    withSchemaLock(database, schemaName, waitMs, async (client) => {
      await assertNotLost(client, schemaName, run.recreate);
      if (run.mustExist) await assertThere(client, schemaName);
      await (isolate ? migrateAsOwner(client, run) : migrateAsConnected(client, run));
    }),
  );
}

/** dbmate makes a schema that is not there: of a tenant that was removed just now, it would be nobody's. */
async function assertThere(client: ClientBase, schemaName: string): Promise<void> {
  const { rowCount } = await client.query("select from pg_namespace where nspname = $1", [
    schemaName,
  ]);
  if (rowCount === 0) throw new TenantGoneError(`there is no schema ${schemaName} any more`);
}

async function migrateAsConnected(client: ClientBase, run: MigrationRun): Promise<void> {
  const { database, schemaName } = run;
  await endIsolation(client, schemaName);
  await apply(client, run, {
    login: () => Promise.resolve(settingsOf(database)),
    applied: async () => (await appliedVersions(client, schemaName)) ?? [],
  });
}

/** In sessions that log in as the schema's owner: what they run has no other role to go back to. */
async function migrateAsOwner(client: ClientBase, run: MigrationRun): Promise<void> {
  const { database, schemaName } = run;
  const role = await isolateSchema(client, schemaName);
  const login = () => openLogin(client, settingsOf(database), role);
  const close = () => closeLogin(client, role);
  try {
    await apply(client, run, {
      login,
      applied: async () =>
        (await hasTables(client, schemaName)) ? appliedAsOwner(await login(), schemaName) : [],
    });
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
  await close();
}

/** Who runs a schema's migrations. */
interface Migrator {
  readonly login: () => Promise<ConnectionSettings>;
  /** The versions that are applied. */
  readonly applied: () => Promise<readonly string[]>;
}

async function apply(client: ClientBase, run: MigrationRun, migrator: Migrator): Promise<void> {
  const { schemaName, directory, files, limits } = run;
  const before = await migrator.applied();
  const onRecord = await assertUnedited(client, schemaName, files, directory, before);
  const isCurrent = pendingFiles(files, before).length === 0;
  const fault = isCurrent
    ? undefined
    : await runDbmate({ settings: await migrator.login(), schemaName, directory, limits }, client);
  const applied =
    fault === undefined ? Object.keys(files).map(migrationVersion) : await migrator.applied();
  // Digests may be missing where all files are applied: a run may have been killed between the two.
  if (!isCurrent || onRecord < Object.keys(files).length) {
    await keepDigests(client, schemaName, files, applied);
  }
  if (fault !== undefined) throw failure(run, fault, applied);
}

/** Whether there is anything to read in the schema: of one that was just made, nobody needs to log in. */
async function hasTables(client: ClientBase, schemaName: string): Promise<boolean> {
  const found = await client.query(
    "select from pg_class where relnamespace = (select oid from pg_namespace where nspname = $1) limit 1",
    [schemaName],
  );
  return found.rowCount !== 0;
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
