import type { ClientBase } from "pg";
import { manifestText, type Manifest } from "../archive/manifest";
import type { ArchiveWriter } from "../archive/write";
import { copyOut, readSequences } from "./copy-out";
import { describeSchema, fingerprintOf } from "./fingerprint";
import type { Snapshot } from "./snapshot";

/** What an archive says of a tenant, its rows left out. */
export type ExportedTenant = Pick<Manifest, "tenant" | "admin" | "members" | "migrations">;

/** Reads what the control tables say of a tenant; undefined where there is none with the id. */
export async function readTenant(
  client: ClientBase,
  tenantId: string,
): Promise<ExportedTenant | undefined> {
  const { rows } = await client.query<ExportedTenant>(
    `select
      json_build_object('id', t.id, 'name', t.name, 'slug', t.slug, 'status', t.status,
        'createdAt', ${isoTime("t.created_at")}) as tenant,
      (select json_build_object(${person}) from public.users u where u.id = t.admin_user_id) as admin,
      (select coalesce(json_agg(json_build_object(${person}, 'role', m.role) order by u.email), '[]')
        from public.tenant_users m join public.users u on u.id = m.user_id
        where m.tenant_id = t.id) as members,
      (select coalesce(json_object_agg(file, digest order by file), '{}')
        from public.tenant_migration_digests where schema_name = 'tenant_' || t.id) as migrations
    from public.tenants t where t.id = $1`,
    [tenantId],
  );
  return rows[0];
}

/**
 * Writes a tenant into an archive, as it is in the snapshot.
 *
 * @returns how many rows were written.
 * @throws errors of pg as they are; Error where nobody reads the archive any more.
 */
export async function writeTenant(
  { client, tables, takenAt }: Snapshot,
  exported: ExportedTenant,
  archive: ArchiveWriter,
): Promise<number> {
  const schemaName = `tenant_${exported.tenant.id}`;
  const fingerprint = fingerprintOf(await describeSchema(client, schemaName));
  const written: Manifest["tables"] = [];
  for (const table of tables) written.push(await copyOut(client, table, archive));
  const sequences = await readSequences(client, schemaName);
  const { rows } = await client.query<{ postgres: string }>(
    "select current_setting('server_version') as postgres",
  );
  const postgres = rows[0]?.postgres ?? "";
  const snapshotAt = takenAt.toISOString();
  const contents = { ...exported, fingerprint, snapshotAt, postgres, tables: written, sequences };
  await archive.finish(manifestText(contents));
  return written.reduce((sum, table) => sum + table.rows, 0);
}

/** Nothing of a password. */
const person = "'email', u.email, 'firstName', u.first_name, 'lastName', u.last_name";

const isoTime = (column: string) =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
