import { pipeline } from "node:stream/promises";
import type { ClientBase } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import type { ArchivedTable, Manifest } from "../archive/manifest";
import { readArchive, type Archive } from "../archive/read";
import { ArchiveError } from "../contract/errors";
import { assertLoadable, assertSameMigrations, assertSameSchema } from "./archive-fits";
import { setForCopy } from "./copy-settings";
import { exportedTables, type ExportedTable } from "./exported-tables";
import type { MigrationDigests } from "./migrations";
import { isDatabaseError } from "./pool";
import { withSchemaLock } from "./schema-lock";
import type { DatabaseAddress } from "./settings";
import { withoutTriggers } from "./without-triggers";

/** Which archive is loaded, and where. */
export interface ArchiveLoad {
  readonly database: DatabaseAddress;
  readonly tenantId: string;
  /** The archive's path. */
  readonly file: string;
  /** The migrations that were applied. */
  readonly files: MigrationDigests;
}

/**
 * Loads an archive into the tables of a tenant that is migrated and was never published: rows, which take the place
 * of those that the migrations have put there, and the values of sequences. All of it in one transaction, which
 * also writes down that it was done: a second call does nothing, and needs no archive.
 *
 * @throws {@link ArchiveError} where the archive or its rows do not fit, or where the tenant has been in use. Nothing
 * was loaded then. Errors of pg as they are where the database cannot work.
 */
export async function loadArchive(load: ArchiveLoad): Promise<void> {
  const { database, tenantId, file, files } = load;
  const schemaName = `tenant_${tenantId}`;
  const waitMs = 0; // without a limit: whoever has the lock loads it, or is being rolled back
  await withSchemaLock(database, schemaName, waitMs, async (client) => {
    if (await isLoaded(client, tenantId)) return;
    const archive = await readArchive(file);
    assertSameMigrations(file, archive.manifest, files);
    await client.query("begin");
    try {
      await assertLoadable(client, tenantId);
      await loadAll(client, schemaName, archive);
      await noteLoaded(client, tenantId, archive.digest);
      await client.query("commit");
    } catch (error) {
      await client.query("rollback").catch(() => undefined);
      throw inWords(error, file);
    }
  });
}

async function isLoaded(client: ClientBase, tenantId: string): Promise<boolean> {
  const loaded = await client.query(
    "select from public.tenants where id = $1 and archive_digest is not null",
    [tenantId],
  );
  return loaded.rowCount !== 0;
}

async function noteLoaded(client: ClientBase, tenantId: string, digest: string): Promise<void> {
  // Looked at again: the first look did not keep anybody from publishing it meanwhile.
  await assertLoadable(client, tenantId);
  await client.query(
    "update public.tenants set archive_digest = $2, updated_at = now() where id = $1",
    [tenantId, digest],
  );
}

async function loadAll(
  client: ClientBase,
  schemaName: string,
  { manifest, rows }: Archive,
): Promise<void> {
  await setForCopy(client, schemaName);
  await assertSameSchema(client, schemaName, manifest);
  const known = await exportedTables(client, schemaName);
  const pairs = manifest.tables.map((table) => [table, tableOf(known, table)] as const);
  const tables = pairs.map(([, table]) => table);
  await withoutTriggers(client, schemaName, tables, async () => {
    // What the migrations have put there is in the archive too, as it was at last.
    if (tables.length > 0) {
      await client.query(`truncate ${tables.map(({ identifier }) => identifier).join(", ")}`);
    }
    for (const [archived, table] of pairs) {
      await pipeline(rows(archived), client.query(copyFrom(statementOf(client, table))));
    }
    await setSequences(client, schemaName, manifest.sequences);
  });
  for (const [archived, table] of pairs) await assertCounted(client, archived, table);
  await refreshViews(client, schemaName);
  await assertSameSchema(client, schemaName, manifest);
}

function tableOf(known: readonly ExportedTable[], { name, columns }: ArchivedTable): ExportedTable {
  const table = known.find((other) => other.name === name);
  // What is in an archive is not trusted: a path in it could lead elsewhere, and so could a name.
  if (table === undefined) throw new ArchiveError(`has table ${name}, which is not in the schema`);
  if ([...columns].sort().join("\0") === [...table.columns].sort().join("\0")) {
    return { ...table, columns };
  }
  throw new ArchiveError(`has other columns of table ${name} than the schema`);
}

function statementOf(client: ClientBase, { identifier, columns }: ExportedTable): string {
  const names = columns.map((column) => client.escapeIdentifier(column)).join(", ");
  const list = columns.length === 0 ? "" : `(${names})`;
  return `copy ${identifier} ${list} from stdin (format csv, header)`;
}

async function assertCounted(
  client: ClientBase,
  { name, rows }: ArchivedTable,
  { identifier, isPartitioned }: ExportedTable,
): Promise<void> {
  const counted = await client.query<{ rows: string }>(
    `select count(*) as rows from ${isPartitioned ? "" : "only"} ${identifier}`,
  );
  const there = Number(counted.rows[0]?.rows);
  if (there === rows) return;
  throw new ArchiveError(`has ${rows} rows of table ${name}, and ${there} were loaded`);
}

async function setSequences(
  client: ClientBase,
  schemaName: string,
  sequences: Manifest["sequences"],
): Promise<void> {
  for (const { name, lastValue, isCalled } of sequences) {
    await client.query("select setval(format('%I.%I', $1::text, $2::text)::regclass, $3, $4)", [
      ...[schemaName, name, lastValue, isCalled],
    ]);
  }
}

/** In the order in which they were made, so that each comes after those that it reads. */
async function refreshViews(client: ClientBase, schemaName: string): Promise<void> {
  const { rows } = await client.query<{ view: string }>(
    `select format('%I.%I', nspname, relname) as view
    from pg_class c join pg_namespace n on n.oid = relnamespace
    where nspname = $1 and relkind = 'm' and relispopulated order by c.oid`,
    [schemaName],
  );
  for (const { view } of rows) await client.query(`refresh materialized view ${view}`);
}

function inWords(error: unknown, file: string): unknown {
  if (error instanceof ArchiveError) {
    const { message } = error;
    return new ArchiveError(`${file} ${message}`, { cause: error });
  }
  // Classes of the rows themselves: 22 of values, 23 of constraints, 42 of names and rights.
  if (!isDatabaseError(error) || !/^(22|23|42)/.test(error.code)) return error;
  return new ArchiveError(`${file} cannot be loaded: ${error.message}`, { cause: error });
}
