import type { PoolClient } from "pg";
import { dropInParts } from "./drop-in-parts";
import { inTransaction } from "./pool";
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
 * @throws {@link SchemaInUseError} when an object outside of the schema depends on an object in it; errors of pg as
 * they are: SQLSTATE 55P03 when a migration in the schema has not ended in a minute.
 */
export async function dropContents(
  database: DatabaseAddress,
  schemaName: string,
  takeOut: (client: PoolClient) => Promise<void>,
): Promise<void> {
  // Whoever migrates it at that moment would make its tables again.
  await withSchemaLock(database, schemaName, WAIT_MS, async () => {
    await dropInParts(database, schemaName, takeOut);
    await inTransaction(database, async (client) => {
      await takeOut(client);
      await emptySchema(client, schemaName);
      await client.query("delete from public.tenant_migration_digests where schema_name = $1", [
        schemaName,
      ]);
    });
  });
}
