import type { PoolClient } from "pg";
import { isDatabaseError } from "./pool";

/**
 * Removes a user who was made by a set-up and whom nothing needs any more: no membership, no tenant
 * whose admin they are to be, nothing of the product's that refers to them.
 */
export async function removeUserUnlessNeeded(client: PoolClient, id: string): Promise<void> {
  // Two tenants that end at once wait here for each other, so the second sees that it is the last.
  await client.query("select from public.users where id = $1 for update", [id]);
  await client.query("savepoint removal");
  await client
    .query(
      `delete from public.users u where id = $1 and made_for_tenant_id is not null
        and not exists (select from public.tenant_users where user_id = u.id)
        and not exists (select from public.tenants where admin_user_id = u.id)`,
      [id],
    )
    .catch(async (error: unknown) => {
      // foreign_key_violation: somebody refers to them meanwhile
      if (!isDatabaseError(error, "23503")) throw error;
      await client.query("rollback to savepoint removal");
    });
}
