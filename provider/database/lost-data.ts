import type { ClientBase } from "pg";
import { DataGoneError } from "../contract/errors";
import { rowsIfAny } from "./pool";

/**
 * Tells what is gone of a schema that was migrated: it has files on record, and not even the table that
 * dbmate keeps in each schema.
 *
 * @returns undefined where nothing is gone.
 */
export async function lostData(
  client: ClientBase,
  schemaName: string,
): Promise<string | undefined> {
  const table = `${client.escapeIdentifier(schemaName)}.schema_migrations`;
  const [found] = await rowsIfAny<{ files: number; there: boolean; migrated: boolean }>(
    client,
    `select
      (select count(*)::int from public.tenant_migration_digests where schema_name = $1) as files,
      exists (select from pg_namespace where nspname = $1) as there,
      to_regclass($2) is not null as migrated`,
    [schemaName, table],
  );
  if (found === undefined || found.files === 0 || found.migrated) return undefined;
  const what = found.there ? `the tables of schema ${schemaName}` : `schema ${schemaName}`;
  return `${what}, with what ${found.files} migrations had made and all its data`;
}

/** @throws DataGoneError where something is gone, unless `recreate` says that it is made anew. */
export async function refuseLost(
  client: ClientBase,
  schemaName: string,
  recreate = false,
): Promise<void> {
  const lost = await lostData(client, schemaName);
  if (lost === undefined) return;
  const { rows } = await client.query<{ slug: string }>(
    "select slug from public.tenants where 'tenant_' || id = $1",
    [schemaName],
  );
  const tenant = rows[0]?.slug ?? schemaName;
  if (!recreate) throw new DataGoneError(lostWords(tenant, lost));
  console.log(emptyWords(tenant, lost));
}

/** What is gone, and the two ways on. */
export function lostWords(tenant: string, lost: string): string {
  return (
    `of tenant ${tenant} is gone: ${lost}. Restore it from a backup, then run pulumi refresh; or give the ` +
    `tenant recreate: true, which makes the schema anew, EMPTY`
  );
}

/** Says, in a preview too, that nothing of the data comes back. */
export function emptyWords(tenant: string, lost: string): string {
  return `Tenant ${tenant} is made anew, EMPTY (recreate: true): gone is ${lost}.`;
}
