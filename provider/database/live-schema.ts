import { appliedVersions } from "./applied";
import { migrationVersion } from "./migrations";
import { asOwner, closeLogin, openLogin } from "./owner-login";
import { ownerRoleOf } from "./owner-role";
import { isDatabaseError, rowsIfAny, withConnection } from "./pool";
import { withSchemaLock } from "./schema-lock";
import { settingsOf, type ConnectionSettings, type DatabaseAddress } from "./settings";

/** How long a refresh waits for whoever migrates the schema. */
const LOCK_WAIT_MS = 5_000;

/** What a refresh finds of a schema. */
export interface LiveSchema {
  /** The versions that are applied, oldest first. */
  readonly applied: readonly string[];
  /** Whether it belongs to a role of its own. */
  readonly isolated: boolean;
}

/**
 * Reads a schema; undefined where it is not there. Of an isolated one, which is read as its owner, while
 * another run migrates it: what is on record.
 */
export async function readLiveSchema(
  database: DatabaseAddress,
  schemaName: string,
): Promise<LiveSchema | undefined> {
  const found = await withConnection(database, async (client) => {
    const { name, owns } = await ownerRoleOf(client, schemaName);
    return owns ? { role: name } : { applied: await appliedVersions(client, schemaName) };
  });
  if (found.role === undefined) return found.applied && { applied: found.applied, isolated: false };
  const applied = await readAsOwner(database, schemaName, found.role).catch((error: unknown) => {
    // lock_not_available
    if (isDatabaseError(error, "55P03")) return appliedOnRecord(database, schemaName);
    throw error;
  });
  return { applied, isolated: true };
}

/** The versions applied in the schema of an owner who may log in with these settings. */
export async function appliedAsOwner(
  settings: ConnectionSettings,
  schemaName: string,
): Promise<string[]> {
  return (await asOwner(settings, (owner) => appliedVersions(owner, schemaName))) ?? [];
}

async function readAsOwner(
  database: DatabaseAddress,
  schemaName: string,
  role: string,
): Promise<string[]> {
  return withSchemaLock(database, schemaName, LOCK_WAIT_MS, async (client) => {
    try {
      return await appliedAsOwner(await openLogin(client, settingsOf(database), role), schemaName);
    } finally {
      await closeLogin(client, role);
    }
  });
}

async function appliedOnRecord(database: DatabaseAddress, schemaName: string): Promise<string[]> {
  const rows = await withConnection(database, (client) =>
    rowsIfAny<{ file: string }>(
      client,
      "select file from public.tenant_migration_digests where schema_name = $1 order by file",
      [schemaName],
    ),
  );
  return rows.map(({ file }) => migrationVersion(file));
}
