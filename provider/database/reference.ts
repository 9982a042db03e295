import { createHash, randomUUID } from "node:crypto";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { MigrationsUnreadableError } from "../contract/errors";
import { migrate } from "./dbmate";
import { dropInParts } from "./drop-in-parts";
import { describeSchema } from "./fingerprint";
import { readMigrations } from "./migrations";
import type { MigrationRun } from "./migrator";
import { dropOwnerRole } from "./owner-role";
import { inTransaction, isDatabaseError, rowsIfAny, withConnection, withSessionLock } from "./pool";
import type { DatabaseAddress } from "./settings";

/** Which migrations, and where they are run once to see what comes of them. */
export type ReferenceRun = Pick<MigrationRun, "database" | "directory" | "files" | "isolate">;

/** The comment of each scratch schema; a schema of somebody else that only has such a name does not have it. */
export const SCRATCH =
  "pulumi-tenant: made to see what the migrations make, dropped by whoever makes the next one";

/**
 * What a schema is like in which just these files were applied, as `describeSchema` tells it. The files are run in
 * a scratch schema, once for a database: the lines are kept in `public.tenant_references`.
 *
 * @param run.files Some or all files of the folder: the reference of an earlier version has fewer.
 * @throws {@link MigrationsUnreadableError} where a file is not the one that `files` says; what `migrate` throws.
 */
export async function referenceOf(run: ReferenceRun): Promise<readonly string[]> {
  const known = await findReference(run);
  if (known !== undefined) return known;
  const waitMs = 0; // without a limit: whoever has the lock makes a reference, perhaps this one
  return withSessionLock(run.database, "pulumi-tenant reference", waitMs, async () => {
    await dropScratchSchemas(run.database);
    const made = await findReference(run);
    if (made !== undefined) return made;
    const lines = await makeReference(run);
    await keepReference(run, lines);
    return lines;
  });
}

/** The lines of {@link referenceOf}, if somebody has made them. */
export async function findReference({
  database,
  files,
}: Pick<ReferenceRun, "database" | "files">): Promise<string[] | undefined> {
  return withConnection(database, async (client) => {
    const rows = await rowsIfAny<{ lines: string[] }>(
      client,
      `select lines from public.tenant_references where migrations = $1 and server = ${SERVER}`,
      [digestOf(files)],
    );
    return rows[0]?.lines;
  });
}

async function makeReference({ database, directory, files, isolate }: ReferenceRun) {
  // A folder with just these files: dbmate runs all that there are.
  const folder = await mkdtemp(path.join(tmpdir(), "tenant-reference-"));
  const schemaName = `reference_${randomUUID()}`;
  try {
    for (const [file, digest] of Object.entries(files)) {
      await copyMigration({ directory, file, digest }, folder);
    }
    await inTransaction(database, async (client) => {
      const schema = client.escapeIdentifier(schemaName);
      await client.query(`create schema ${schema}`);
      await client.query(`comment on schema ${schema} is '${SCRATCH}'`);
    });
    await migrate({ database, schemaName, directory: folder, files, isolate: isolate ?? false });
    return await inTransaction(database, (client) => describeSchema(client, schemaName));
  } finally {
    await rm(folder, { recursive: true });
    await dropScratchSchemas(database);
  }
}

/** @throws {@link MigrationsUnreadableError} where it is not the one with this digest, or is not there. */
async function copyMigration(
  { directory, file, digest }: { directory: string; file: string; digest: string },
  folder: string,
): Promise<void> {
  try {
    await copyFile(path.join(directory, file), path.join(folder, file));
  } catch (error) {
    throw new MigrationsUnreadableError(`${file} in ${directory} cannot be read`, { cause: error });
  }
  if (readMigrations(folder)[file] === digest) return;
  throw new MigrationsUnreadableError(`${file} in ${directory} was changed just now: try again`);
}

/** To be called by who has the lock: a run that was killed may have left its schema. */
async function dropScratchSchemas(database: DatabaseAddress): Promise<void> {
  const left = await withConnection(database, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `select nspname as name from pg_namespace
      where nspname ^@ 'reference_' and obj_description(oid, 'pg_namespace') = $1`,
      [SCRATCH],
    );
    return rows.map(({ name }) => name);
  });
  for (const schemaName of left) {
    await dropInParts(database, schemaName, () => Promise.resolve());
    await inTransaction(database, async (client) => {
      await client.query(`drop schema ${client.escapeIdentifier(schemaName)} cascade`);
      await client.query("delete from public.tenant_migration_digests where schema_name = $1", [
        schemaName,
      ]);
      await dropOwnerRole(client, schemaName);
    });
  }
}

/** PostgreSQL's major version, in SQL: each may write definitions in its own way. */
const SERVER = "current_setting('server_version_num')::int / 10000";

/** Does nothing where the control tables are somebody else's. */
async function keepReference({ database, files }: ReferenceRun, lines: readonly string[]) {
  await withConnection(database, async (client) => {
    await client
      .query(
        `insert into public.tenant_references (migrations, server, lines) values ($1, ${SERVER}, $2)
        on conflict do nothing`,
        [digestOf(files), lines],
      )
      .catch((error: unknown) => {
        if (!isDatabaseError(error, "42P01")) throw error; // undefined_table
      });
  });
}

function digestOf(files: ReferenceRun["files"]): string {
  const named = Object.entries(files).map(([file, digest]) => `${digest}  ${file}\n`);
  return createHash("sha256").update(named.sort().join("")).digest("hex");
}
