import type { ClientBase } from "pg";
import { ownerRoleOf } from "../provider/database/owner-role";
import { schemaLock } from "../provider/database/schema-lock";
import { tenantLock } from "../provider/database/tenant-lock";

/** How long it may take until the lock of a schema is had that was free at the look, a moment before. */
export const LOCK_WAIT_MS = 1_000;

/**
 * What is to be known of a tenant before its schema is changed: that it is not there any more, or nobody's; that it is
 * in the middle of another operation; or whether its schema has an owner of its own, and any file is on record for it.
 */
export async function lookAtTenant(
  client: ClientBase,
  tenantId: string,
): Promise<"gone" | "busy" | { readonly isolated: boolean; readonly isOnRecord: boolean }> {
  const schemaName = `tenant_${tenantId}`;
  const { rows } = await client.query<{ there: boolean; free: boolean; isOnRecord: boolean }>(
    // A tried lock is released at the end of the statement.
    `select exists (select from public.tenants where id = $1 and owner is not null) as there,
      pg_try_advisory_xact_lock(hashtextextended($2, 0))
        and pg_try_advisory_xact_lock(hashtextextended($3, 0)) as free,
      exists (select from public.tenant_migration_digests where schema_name = $4) as "isOnRecord"`,
    [tenantId, tenantLock(tenantId), schemaLock(schemaName), schemaName],
  );
  const [found] = rows;
  if (found?.there !== true) return "gone";
  if (!found.free) return "busy";
  const { isOnRecord } = found;
  return { isolated: (await ownerRoleOf(client, schemaName)).owns, isOnRecord };
}
