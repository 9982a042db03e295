import {
  ConfigurationError,
  MigrationFailedError,
  TenantError,
  TenantGoneError,
} from "../../provider/contract/errors";
import { baseline } from "../../provider/database/baseline";
import { migrate } from "../../provider/database/dbmate";
import { isDatabaseError, withConnection } from "../../provider/database/pool";
import type { DatabaseAddress } from "../../provider/database/settings";
import { LOCK_WAIT_MS, lookAtTenant } from "../look";
import type { Rollout } from "./rollout";

/** What came of the migrations of one tenant. `busy`: it was in the middle of something else. */
export type Outcome =
  | { readonly kind: "done" }
  | { readonly kind: "gone" }
  | { readonly kind: "busy" }
  /** `locked`: a migration did not get a lock in time, and was rolled back. */
  | { readonly kind: "locked" | "failed"; readonly message: string };

/**
 * Brings one tenant to all files of a rollout, as step 4 of a set-up does. Whether its schema has an owner of its own
 * stays as it is.
 *
 * @param directory The folder that the files are in.
 * @throws whatever is not about this tenant alone, such as the error of a database that is down.
 */
export async function migrateTenant(
  database: DatabaseAddress,
  { files, options }: Rollout,
  directory: string,
  tenantId: string,
): Promise<Outcome> {
  const schemaName = `tenant_${tenantId}`;
  const found = await withConnection(database, (client) => lookAtTenant(client, tenantId));
  if (found === "gone") return { kind: "gone" };
  if (found === "busy") return { kind: "busy" };
  try {
    const run = {
      ...{ database, schemaName, directory, files, isolate: found.isolated },
      ...{ mustExist: true, waitMs: LOCK_WAIT_MS, limits: options },
    };
    // An adoption that did not finish, perhaps because its tables differ: nobody has looked what was applied.
    if (!found.isOnRecord) await baseline(run);
    await migrate(run);
    return { kind: "done" };
  } catch (error) {
    if (error instanceof TenantGoneError) {
      const after = await withConnection(database, (client) => lookAtTenant(client, tenantId));
      if (after === "gone") return { kind: "gone" };
    }
    return outcomeOf(error);
  }
}

function outcomeOf(error: unknown): Outcome {
  const sqlstate =
    error instanceof MigrationFailedError
      ? error.sqlstate
      : isDatabaseError(error)
        ? error.code
        : undefined;
  if (sqlstate !== undefined && serverIsDown.test(sqlstate)) throw error;
  const isTenants = error instanceof TenantError && !(error instanceof ConfigurationError);
  if (!(isTenants || isDatabaseError(error))) throw error;
  // lock_not_available
  return { kind: sqlstate === "55P03" ? "locked" : "failed", message: error.message };
}

/**
 * SQLSTATE classes of a server that cannot work now: 08 connection, 28 login, 3D no such database, 53 resources,
 * 57P shutting down, 58 system. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const serverIsDown = /^(08|28|3D|53|57P|58)/;
