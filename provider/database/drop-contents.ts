import type { PoolClient } from "pg";
import { SchemaInUseError } from "../contract/errors";
import { dropInParts } from "./drop-in-parts";
import { inTransaction, isDatabaseError } from "./pool";
import { emptySchema } from "./schema";
import { withSchemaLock } from "./schema-lock";
import type { DatabaseAddress } from "./settings";

/** How long it waits for a migration in the schema, as it would for a lock on its tables. */
const WAIT_MS = 60_000;

/**
 * Drops all that is in a schema, and what is on record of its migrations.
 *
 * @param takeOut Takes the tenant out of service. It is done in each transaction that drops something, so that nobody
 * finds an active tenant without its tables.
 * @param waitMs How long it waits for a migration in the schema. Default: {@link WAIT_MS}.
 * @throws {@link SchemaInUseError} when an object outside of the schema depends on an object in it, or a migration in
 * it does not end in that time; errors of pg as they are.
 */
export async function dropContents(
  database: DatabaseAddress,
  schemaName: string,
  takeOut: (client: PoolClient) => Promise<void>,
  waitMs = WAIT_MS,
): Promise<void> {
  const lock = { isHeld: false };
  try {
    // Whoever migrates it at that moment would make its tables again.
    await withSchemaLock(database, schemaName, waitMs, async () => {
      lock.isHeld = true;
      await dropInParts(database, schemaName, takeOut);
      await inTransaction(database, async (client) => {
        await takeOut(client);
        await emptySchema(client, schemaName);
        await client.query("delete from public.tenant_migration_digests where schema_name = $1", [
          schemaName,
        ]);
      });
    });
  } catch (error) {
    // lock_not_available
    if (lock.isHeld || !isDatabaseError(error, "55P03")) throw error;
    throw new SchemaInUseError(
      `schema ${schemaName} is being migrated, and was not dropped: run again when that has ended`,
      { cause: error },
    );
  }
}
