import { Semaphore } from "async-mutex";
import type { ClientBase } from "pg";
import { TenantGoneError } from "../contract/errors";
import { appliedVersions } from "./applied";
import type { SessionLimits } from "./client-config";
import { appliedAsOwner } from "./live-schema";
import { assertNotLost } from "./lost-data";
import type { MigrationDigests } from "./migrations";
import { closeLogin, openLogin } from "./owner-login";
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

/** Who runs a schema's migrations. */
export interface Migrator {
  readonly login: () => Promise<ConnectionSettings>;
  /** The versions that are applied. */
  readonly applied: () => Promise<readonly string[]>;
}

// Each run holds two connections until it ends, and PostgreSQL has a hundred by default.
const slots = new Semaphore(8);

/**
 * Runs `work` with whoever is to change a schema by its migrations, one at a time for each schema.
 *
 * @throws what `work` throws; {@link TenantGoneError} where the schema must exist and does not;
 * {@link DataGoneError} where the schema was migrated before and nothing of that is left;
 * {@link ConfigurationError} where the database's variable is not usable; errors of pg as they are: SQLSTATE 55P03
 * where another run on the schema has not ended in time.
 */
export async function withMigrator(
  run: MigrationRun,
  work: (client: ClientBase, migrator: Migrator) => Promise<void>,
): Promise<void> {
  const { database, schemaName, isolate = false, waitMs = 0 } = run;
  await slots.runExclusive(() =>
    withSchemaLock(database, schemaName, waitMs, async (client) => {
      await assertNotLost(client, schemaName, run.recreate);
      if (run.mustExist) await assertThere(client, schemaName);
      await (isolate ? asOwner(client, run, work) : asConnected(client, run, work));
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

async function asConnected(
  client: ClientBase,
  { database, schemaName }: MigrationRun,
  work: (client: ClientBase, migrator: Migrator) => Promise<void>,
): Promise<void> {
  await endIsolation(client, schemaName);
  await work(client, {
    login: () => Promise.resolve(settingsOf(database)),
    applied: async () => (await appliedVersions(client, schemaName)) ?? [],
  });
}

/** In sessions that log in as the schema's owner: what they run has no other role to go back to. */
async function asOwner(
  client: ClientBase,
  { database, schemaName }: MigrationRun,
  work: (client: ClientBase, migrator: Migrator) => Promise<void>,
): Promise<void> {
  const role = await isolateSchema(client, schemaName);
  const login = () => openLogin(client, settingsOf(database), role);
  const close = () => closeLogin(client, role);
  try {
    await work(client, {
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

/** Whether there is anything to read in the schema: of one that was just made, nobody needs to log in. */
async function hasTables(client: ClientBase, schemaName: string): Promise<boolean> {
  const found = await client.query(
    "select from pg_class where relnamespace = (select oid from pg_namespace where nspname = $1) limit 1",
    [schemaName],
  );
  return found.rowCount !== 0;
}
