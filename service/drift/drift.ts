import type { Logger } from "pino";
import { TenantError } from "../../provider/contract/errors";
import { driftOf } from "../../provider/database/drift/drift";
import { ENGINE, type Facet } from "../../provider/database/drift/facet";
import { isDatabaseError } from "../../provider/database/pool";
import { readMigrations, type MigrationDigests } from "../../provider/database/migrations";
import { referenceOf } from "../../provider/database/reference";
import { reportDatabaseDown, type Database } from "../database/database";
import { BusyError } from "../system/errors";
import { wantedFacets, type Looked, type Which } from "./wanted-facets";

/** What is wanted of all tenants alike, and of which database. */
export interface DriftParts {
  readonly database: Database;
  /** The folder with the migrations that every tenant gets. */
  readonly migrationsDir: string;
  readonly productRoles: readonly string[];
  /** Whether each tenant's schema has an owner of its own. */
  readonly tenantRoles: boolean;
  readonly log: Logger;
}

/** What was found of some tenants. */
export interface Found {
  /** Those that were looked at. */
  readonly tenants: readonly Looked[];
  /** The facets that differ, by the tenant's id; none for a tenant that is as wanted. */
  readonly drift: ReadonlyMap<string, readonly Facet[]>;
  /** The id up to which tenants were read; undefined where there are no more. */
  readonly last: string | undefined;
}

/**
 * Compares tenants with what is wanted of them. A tenant that somebody is at work on is not looked at.
 *
 * @throws DatabaseDownError; {@link BusyError} while a migration keeps a table that is to be described;
 * MigrationsUnreadableError.
 */
export async function lookAt(parts: DriftParts, which: Which): Promise<Found> {
  const { database, migrationsDir, productRoles, tenantRoles } = parts;
  const reference = (files: MigrationDigests) =>
    referenceOf({
      ...{ database: database.settings, directory: migrationsDir, files },
      isolate: tenantRoles,
    });
  const { tenants, last } = await wantedFacets(database.query, which);
  const looked = driftOf(database.settings, tenants, {
    productRoles,
    isolate: tenantRoles,
    files: readMigrations(migrationsDir),
    referenceOf: (files) => reference(files).catch((error: unknown) => noReference(parts, error)),
  });
  const drift = await reportDatabaseDown(looked).catch((error: unknown) => {
    // lock_not_available
    if (!isDatabaseError(error, "55P03")) throw error;
    throw new BusyError("a table is being changed just now", { cause: error });
  });
  return { tenants, drift, last };
}

/** What of a tenant's drift an engine run of the service repairs. */
export function repairable(facets: readonly Facet[]): Facet[] {
  return facets.filter(({ repair }) => repair === ENGINE);
}

/** Migrations that were applied once, and cannot be applied again, have no reference: tables are not compared then. */
function noReference({ log }: DriftParts, error: unknown): undefined {
  if (!(error instanceof TenantError)) throw error;
  log.warn({ err: error }, "tables are not compared with what their migrations make");
}
