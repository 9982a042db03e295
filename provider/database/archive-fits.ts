import type { ClientBase } from "pg";
import type { Manifest } from "../archive/manifest";
import { ArchiveError } from "../contract/errors";
import { describeSchema, fingerprintOf } from "./fingerprint";
import type { MigrationDigests } from "./migrations";

/**
 * @param file The archive's file, with which the message begins.
 * @throws {@link ArchiveError} where the archive is not of just these migrations, with their names.
 */
export function assertSameMigrations(
  file: string,
  { migrations }: Manifest,
  files: MigrationDigests,
): void {
  const differing = [...new Set([...Object.keys(migrations), ...Object.keys(files)])]
    .sort()
    .flatMap((name) => {
      if (files[name] === undefined) return [`${name} is in the archive only`];
      if (migrations[name] === undefined) return [`${name} is not in the archive`];
      return files[name] === migrations[name] ? [] : [`${name} is another file`];
    });
  if (differing.length === 0) return;
  throw new ArchiveError(`${file} is of other migrations: ${differing.join(", ")}`);
}

/** @throws {@link ArchiveError} where the archive is of a schema that is not like this one. */
export async function assertSameSchema(
  client: ClientBase,
  schemaName: string,
  { fingerprint, postgres }: Manifest,
): Promise<void> {
  const found = fingerprintOf(await describeSchema(client, schemaName));
  if (found === fingerprint) return;
  throw new ArchiveError(
    `is of a schema that differs from what the migrations make here: it was changed by hand before it was ` +
      `exported, or by PostgreSQL ${postgres}, which describes a schema in another way`,
  );
}

/**
 * Checks that nobody has used the tenant, and so that none of its rows is anybody's. Its row is locked until the
 * transaction ends.
 *
 * @throws {@link ArchiveError}
 */
export async function assertLoadable(client: ClientBase, tenantId: string): Promise<void> {
  const { rowCount } = await client.query(
    `select from public.tenants t
    where id = $1 and status = 'provisioning' and suspended_at is null and deleted_at is null
      and not exists (select from public.tenant_users where tenant_id = t.id)
    for no key update`,
    [tenantId],
  );
  if (rowCount !== 0) return;
  throw new ArchiveError(
    "can be loaded only into a tenant that is being made: this one was in use already",
  );
}
