import type { ClientBase } from "pg";
import { DataGoneError } from "../contract/errors";
import { rowsIfAny } from "./pool";

/**
 * Finds out whether a schema that was migrated has lost its tables. It has when the control table lists
 * files for it, and the table in which dbmate keeps the applied versions is not there.
 *
 * @returns what is gone, in words; undefined where nothing is.
 */
export async function lostData(
  client: ClientBase,
  schemaName: string,
): Promise<string | undefined> {
  const [found] = await rowsIfAny<{ files: number; there: boolean; migrated: boolean }>(
    client,
    `select
      (select count(*)::int from public.tenant_migration_digests where schema_name = $1) as files,
      exists (select from pg_namespace where nspname = $1) as there,
      -- By the schema's oid: a table of this name is in the schema of every tenant.
      exists (select from pg_class where relname = 'schema_migrations'
        and relnamespace = (select oid from pg_namespace where nspname = $1)) as migrated`,
    [schemaName],
  );
  if (found === undefined || found.files === 0 || found.migrated) return undefined;
  const what = found.there ? `the tables of schema ${schemaName}` : `schema ${schemaName}`;
  return `${what}, with what ${found.files} migrations had made and all its data`;
}

/** @throws {@link DataGoneError} where data is gone; with `recreate`, this is only printed. */
export async function assertNotLost(
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
  if (!recreate) throw new DataGoneError(lostMessage(tenant, lost));
  console.log(recreateMessage(tenant, lost));
}

/** Says whose data is gone, and the two ways to go on. */
export function lostMessage(tenant: string, lost: string): string {
  return (
    `of tenant ${tenant} is gone: ${lost}. Restore it from a backup, then run pulumi refresh; or give the ` +
    `tenant recreate: true, which makes the schema anew, EMPTY`
  );
}

/** Says that the schema is made anew and its data does not come back; a preview prints it too. */
export function recreateMessage(tenant: string, lost: string): string {
  return `Tenant ${tenant} is made anew, EMPTY (recreate: true): gone is ${lost}.`;
}
