import {
  readTenant,
  writeTenant,
  type ExportedTenant,
} from "../../provider/database/export-tenant";
import { exportedSequences } from "../../provider/database/exported-tables";
import type { ArchiveWriter } from "../../provider/archive/write";
import { isDatabaseError } from "../../provider/database/pool";
import { openSnapshot, type Snapshot } from "../../provider/database/snapshot";
import { reportDatabaseDown, type Database } from "../database/database";
import {
  ExportsFullError,
  TenantBusyError,
  TenantConflictError,
  TenantUnknownError,
} from "../system/errors";

/** How many exports an instance has at once. Each has a connection of its own, and so takes none from others. */
const MOST_AT_ONCE = 2;

/** A tenant that is being exported. */
export interface Export extends Pick<ExportedTenant, "tenant"> {
  readonly takenAt: Date;
  /** Writes it. @returns how many rows it has. @throws errors of pg as they are. */
  readonly write: (archive: ArchiveWriter) => Promise<number>;
  /** Ends it, finished or not: its connection is closed, and its transaction with it. */
  readonly close: () => Promise<void>;
}

/** The exports of one instance. */
export class Exports {
  private open = 0;

  constructor(private readonly database: Database) {}

  /**
   * Takes a snapshot of a tenant. Whoever calls it has to close the export.
   *
   * @throws {@link TenantUnknownError} where there is no such tenant.
   * @throws {@link TenantConflictError} where it is not set up yet, or the database's role may not read all of it.
   * @throws {@link TenantBusyError} where it is being migrated, or somebody else has locked a table.
   * @throws {@link ExportsFullError} where as many are under way as may; DatabaseDownError
   */
  async begin(tenantId: string): Promise<Export> {
    if (this.open >= MOST_AT_ONCE) throw new ExportsFullError();
    this.open += 1;
    let isOpen = true;
    const giveBack = () => {
      if (isOpen) this.open -= 1;
      isOpen = false;
    };
    try {
      const begun = await reportDatabaseDown(begin(this.database, tenantId));
      return { ...begun, close: () => begun.close().finally(giveBack) };
    } catch (error) {
      giveBack();
      throw error;
    }
  }
}

async function begin({ query, settings }: Database, tenantId: string): Promise<Export> {
  // Before the connection of its own: most ids that are wrong end here.
  const rows = await query("select from public.tenants where id = $1", [tenantId]);
  if (rows.length === 0) throw new TenantUnknownError();
  const schemaName = `tenant_${tenantId}`;
  const snapshot = await openSnapshot(settings, schemaName).catch((error: unknown) => {
    // lock_not_available
    if (isDatabaseError(error, "55P03")) {
      throw new TenantBusyError("The tenant is being migrated: send the request again later");
    }
    // insufficient_privilege
    throw isDatabaseError(error, "42501") ? notReadable("its schema") : error;
  });
  try {
    const exported = await assertExportable(snapshot, tenantId);
    const { takenAt, close } = snapshot;
    const write = (archive: ArchiveWriter) => writeTenant(snapshot, exported, archive);
    return { tenant: exported.tenant, takenAt, write, close };
  } catch (error) {
    await snapshot.close();
    throw error;
  }
}

async function assertExportable(
  { client, tables }: Snapshot,
  tenantId: string,
): Promise<ExportedTenant> {
  const exported = await readTenant(client, tenantId);
  if (exported === undefined) throw new TenantUnknownError();
  if (exported.tenant.status === "provisioning") {
    throw new TenantConflictError("The tenant is not set up yet, so there is nothing to export");
  }
  const schemaName = `tenant_${tenantId}`;
  const schema = await client.query("select from pg_namespace where nspname = $1", [schemaName]);
  if (schema.rowCount === 0) {
    throw new TenantConflictError("The tenant's schema is gone, so there is nothing to export");
  }
  const sequences = await exportedSequences(client, schemaName);
  const faults = [
    ...tables.flatMap(({ name, fault }) => (fault === null ? [] : [`table ${name} (${fault})`])),
    ...sequences.flatMap(({ name, isReadable }) => (isReadable ? [] : [`sequence ${name}`])),
  ];
  if (faults.length > 0) throw notReadable(faults.slice(0, 10).join(", "));
  return exported;
}

const notReadable = (what: string) =>
  new TenantConflictError(
    `The service's database role may not read all of the tenant: ${what}. An export without it would not be whole`,
  );
