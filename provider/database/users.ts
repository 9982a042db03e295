import type { PoolClient } from "pg";
import { isDatabaseError } from "./pool";

/**
 * Deletes a user who was made for a tenant and is not needed any more: who is member of no tenant, is to be
 * admin of none, and to whom no other table refers. To be called in a transaction.
 */
export async function removeUserUnlessNeeded(client: PoolClient, id: string): Promise<void> {
  // When the last two tenants of a user end at once, the second transaction waits here for the first. So it
  // sees that the other membership is gone; without the lock, neither would delete the user.
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
      // foreign_key_violation: a table that this package does not know refers to the user
      if (!isDatabaseError(error, "23503")) throw error;
      await client.query("rollback to savepoint removal");
    });
}
