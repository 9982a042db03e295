import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { newestVersion, readMigrations } from "../../provider/database/migrations";
import { migrations } from "../../provider/resources";
import type { ServiceDatabase } from "./service-database";

/** Tenants with tables of a test's own, without an engine. */
export interface ArchiveTenants {
  /** The folder with their migrations, which is removed at the end. */
  readonly directory: string;
  /** Makes a tenant and migrates it, as steps 1 to 4 would; with an archive, its rows are loaded. */
  readonly make: (
    slug: string,
    options?: { status?: string; importFrom?: string },
  ) => Promise<string>;
  /** The path of a file in a folder that is removed at the end. */
  readonly file: (name: string) => string;
}

/** @param sql What the one migration makes. */
export function useArchiveTenants(database: ServiceDatabase, sql: string): ArchiveTenants {
  const folder = mkdtempSync(path.join(tmpdir(), "archives-"));
  const directory = mkdtempSync(path.join(tmpdir(), "archives-migrations-"));
  writeFileSync(
    path.join(directory, "20260101000001_tables.sql"),
    `-- migrate:up\n${sql}\n-- migrate:down\n`,
  );
  afterAll(() => {
    for (const each of [folder, directory]) rmSync(each, { recursive: true });
  });
  return {
    directory,
    file: (name) => path.join(folder, name),
    async make(slug, { status = "provisioning", importFrom } = {}) {
      const id = await database.addTenant(slug, { status: "provisioning" });
      const files = readMigrations(directory);
      await migrations.create({
        ...{ urlEnv: "DATABASE_URL", schemaName: `tenant_${id}`, migrationsDir: directory },
        ...{ files, version: newestVersion(files), forceDestroy: false },
        ...(importFrom === undefined ? {} : { importFrom }),
      });
      await database.sql("update public.tenants set status = $2 where id = $1", [id, status]);
      return id;
    },
  };
}

/** Downloads an archive. */
export async function download(url: string, token: string, file: string): Promise<Response> {
  const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
  if (!response.ok || response.body === null) return response;
  await pipeline(Readable.fromWeb(response.body), createWriteStream(file));
  return response;
}

/** How many rows each table of a schema has, and a sum over them: by it two schemas are compared. */
export async function sumsOf(
  { sql }: Pick<ServiceDatabase, "sql">,
  schemaName: string,
): Promise<Record<string, string>> {
  const tables = await sql<{ name: string; identifier: string }>(
    `select relname as name, format('%I.%I', $1::text, relname) as identifier from pg_class
    where relnamespace = to_regnamespace(quote_ident($1)) and relkind in ('r', 'p', 'm')
    order by 1`,
    [schemaName],
  );
  const sums: Record<string, string> = {};
  for (const { name, identifier } of tables) {
    const [row] = await sql<{ sum: string }>(
      `select count(*) || ' ' || coalesce(sum(hashtextextended(replace(t::text, $1, ''), 0)), 0) as sum
      from ${identifier} t`,
      // In the text of a value of type regclass.
      [schemaName],
    );
    sums[name] = row?.sum ?? "";
  }
  return sums;
}
