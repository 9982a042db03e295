import type { PoolClient } from "pg";
import { MigrationFailedError, MigrationsUnreadableError } from "../contract/errors";
import { differingLines, notRepaired } from "../database/drift/tables";
import type { MigrationRun } from "../database/migrator";
import { describeSchema, fingerprintOf, fingerprints } from "../database/fingerprint";
import { inTransaction, isDatabaseError, rowsIfAny, withConnection } from "../database/pool";
import { findReference, referenceOf } from "../database/reference";
import type { DatabaseAddress } from "../database/settings";

/** What a state knows of a schema's tables. */
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions -- an interface is no record, as inputs are
export type Tables = {
  /** SHA-256 of what the migrations have made of the schema; absent in a state from before it was kept. */
  fingerprint?: string;
  /** In which lines the schema differs from that; absent where it does not. */
  differs?: string[];
};

/** Which schema, and the migrations that it has. */
type Migrated = Omit<MigrationRun, "recreate">;

/** How long a statement may wait for a lock: some definitions cannot be read while somebody changes a table. */
const LOCK_TIMEOUT = "5s";

/**
 * Finds out, before migrations run in a schema, whether it is as it is to be: empty, or as the state says that
 * earlier migrations have made it.
 *
 * @param olds The state; none where the resource is made.
 */
export async function isSound(
  { database, schemaName }: Migrated,
  olds: Tables = {},
): Promise<boolean> {
  if (isPublic(schemaName)) return false;
  const { fingerprint } = olds;
  const sound = await reading(database, async (client) =>
    fingerprint === undefined
      ? isEmpty(client, schemaName)
      : (await fingerprintNow(client, schemaName)) === fingerprint,
  );
  return sound === true;
}

/**
 * What is to be kept of a schema in which migrations have run. They have made what is there, if it was sound
 * before. Otherwise it is compared with their reference, and what differs is said.
 *
 * @returns nothing where it cannot be told.
 */
export async function tablesAfter(run: Migrated, wasSound: boolean): Promise<Tables> {
  const { database, schemaName } = run;
  if (isPublic(schemaName)) return {};
  if (wasSound) {
    // Far faster than to read it from the schema, which waits while a set-up does.
    const known = await findReference(run);
    if (known !== undefined) return { fingerprint: fingerprintOf(known) };
    const fingerprint = await reading(database, (client) => fingerprintNow(client, schemaName));
    return fingerprint === undefined ? {} : { fingerprint };
  }
  const lines = await referenceIfAny(run);
  if (lines === undefined) return {};
  const differs = await differing(run, lines);
  if (differs) console.log(`${schemaName}: ${notRepaired(differs)}`);
  return { fingerprint: fingerprintOf(lines), ...(differs && { differs }) };
}

/**
 * Compares a schema with what the state says of it. Their reference, which says in which lines it differs, is
 * made only where it does. It is as its migrations have made it, as far as the state says what that is.
 */
export async function tablesNow(run: Migrated, state: Tables): Promise<Tables> {
  const { fingerprint } = state;
  if (isPublic(run.schemaName) || fingerprint === undefined) return {};
  const differs = await differingNow(run, state, fingerprint);
  return { fingerprint, ...(differs && { differs }) };
}

/**
 * What just these files make, in a schema that lacks others which the state names: they may have been taken back
 * since. The schema is not compared with it, as it will be migrated.
 */
export async function tablesOfSome(run: Migrated): Promise<Tables> {
  const lines = isPublic(run.schemaName) ? undefined : await referenceIfAny(run);
  return lines === undefined ? {} : { fingerprint: fingerprintOf(lines) };
}

/** The files that are on record as applied in a tenant's schema; undefined where no record is kept. */
export async function filesOnRecord(
  database: DatabaseAddress,
  schemaName: string,
): Promise<string[] | undefined> {
  if (isPublic(schemaName)) return undefined;
  const [found] = await withConnection(database, (client) =>
    rowsIfAny<{ files: string[] }>(
      client,
      `select array(select file from public.tenant_migration_digests where schema_name = $1) as files`,
      [schemaName],
    ),
  );
  return found?.files;
}

/** The control tables belong to several versions of the package at once, each with its own migrations. */
const isPublic = (schemaName: string) => schemaName === "public";

/** Runs statements that read catalogs; undefined where one has waited too long for a lock. */
async function reading<T>(
  database: DatabaseAddress,
  work: (client: PoolClient) => Promise<T>,
): Promise<T | undefined> {
  try {
    return await inTransaction(database, async (client) => {
      await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
      return work(client);
    });
  } catch (error) {
    if (isDatabaseError(error, "55P03")) return undefined; // lock_not_available
    throw error;
  }
}

async function fingerprintNow(client: PoolClient, schemaName: string): Promise<string> {
  return (await fingerprints(client, [schemaName])).get(schemaName) ?? fingerprintOf([]);
}

async function isEmpty(client: PoolClient, schemaName: string): Promise<boolean> {
  const { rowCount } = await client.query(
    "select from pg_class where relnamespace = (select oid from pg_namespace where nspname = $1) limit 1",
    [schemaName],
  );
  return rowCount === 0;
}

async function differingNow(
  run: Migrated,
  state: Tables,
  fingerprint: string,
): Promise<string[] | undefined> {
  const { database, schemaName } = run;
  const now = await reading(database, (client) => fingerprintNow(client, schemaName));
  // Somebody is at a table: the next refresh tells.
  if (now === undefined) return state.differs;
  if (now === fingerprint) return undefined;
  const lines = await referenceIfAny(run);
  return (lines && (await differing(run, lines))) ?? ["is not as its migrations have made it"];
}

async function differing(run: Migrated, lines: readonly string[]): Promise<string[] | undefined> {
  const now = await reading(run.database, (client) => describeSchema(client, run.schemaName));
  const differs = now && differingLines(lines, now);
  return differs?.length === 0 ? undefined : differs;
}

/**
 * A tenant is as good as any other where its migrations cannot be run once more to see what comes of them. That the
 * database is away, or anything else that passes, is an error: nobody would ever look again.
 */
async function referenceIfAny({ database, directory, files, isolate }: Migrated) {
  return referenceOf({ database, directory, files, isolate: isolate ?? false }).catch(
    (error: unknown) => {
      const never =
        error instanceof MigrationFailedError ||
        error instanceof MigrationsUnreadableError ||
        isDatabaseError(error, "42501"); // insufficient_privilege
      if (never) return undefined;
      throw error;
    },
  );
}
