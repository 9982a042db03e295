import type { Logger } from "pino";
import type { Database, Query } from "../database/database";
import type { EngineRuns, RunOutcome } from "../pulumi/engine-runs";
import { dependentsIn } from "../pulumi/outcomes";
import {
  BusyError,
  EngineDownError,
  InterruptedError,
  RunFailedError,
  StateBehindError,
  TenantConflictError,
} from "../system/errors";
import { tenantById, tenantBySlug } from "../tenants/tenants";
import { isAsWanted } from "../tenants/wanted";
import { holdsSlug, isLetGo, isLost, type WantedTenant } from "../tenants/wanted-tenant";
import { nameOf } from "./kinds";
import type { Operation } from "./store/operation";
import { findOperation } from "./store/store";

/** How often an operation is retried after failures that may be temporary. */
export const RETRIES = 5;

/**
 * The same once the tenant is as it is wanted and only the engine's state is not saved: its caller has the
 * answer already, so many retries make nobody wait, and without them the state would stay behind.
 */
export const RETRIES_OF_STATE = 50;

/**
 * Decides how the operation ends. The database decides, not the engine's words: where the tenant is as it is
 * wanted, the operation has succeeded, also when the run ended with an error after that.
 *
 * @param wanted The tenant as the run was to make it.
 * @throws the error that the operation ends with; an UnavailableError where a retry may help.
 */
export async function conclude(
  operation: Operation,
  wanted: WantedTenant,
  outcome: RunOutcome,
  { database, runs, log }: { database: Database; runs: EngineRuns; log: Logger },
): Promise<void> {
  const { kind, tenantId, slug, retries } = operation;
  const what = nameOf(operation);
  const faults = outcome.result === "succeeded" ? [] : outcome.faults;
  // Also where the tenant looks as wanted: a refused state stays refused until the operator repairs it.
  if (outcome.result === "refused") throw new RunFailedError(what, faults);
  // Before the database is asked: a run that was cut off may have changed the database and not saved that in
  // its state. Another run mends it.
  if (retries < RETRIES && outcome.result === "interrupted") {
    throw new InterruptedError(what, faults);
  }
  if (await isDone(database.query, operation)) {
    if (faults.length > 0 && retries < RETRIES_OF_STATE) throw new StateBehindError(what, faults);
    if (faults.length > 0) log.warn({ faults }, `the state of ${what} is behind`);
    return;
  }
  await refuseConflict(database.query, wanted, faults);
  if (outcome.result === "interrupted") throw new InterruptedError(what, faults);
  if (outcome.result === "locked") {
    throw new BusyError(`the stack of tenant ${slug} is locked: ${faults.join(" | ")}`);
  }
  if (outcome.result === "no engine") throw new EngineDownError(faults.join(" | "));
  const tenant = await tenantById(database.query, tenantId);
  if (kind !== "restore" && isLost(tenant, wanted)) {
    throw new InterruptedError(what, [...faults, "the tenant is marked deleted"]);
  }
  const trouble = await runs.tryEngine();
  if (trouble !== undefined) throw new EngineDownError(trouble);
  const noFault = `the engine tells of no fault, and the tenant is ${tenant?.status ?? "not there"}`;
  throw new RunFailedError(what, faults.length > 0 ? faults : [noFault]);
}

/** Whether the tenant was found as the operation was to make it, so that its caller has been answered. */
export async function isApplied(query: Query, { id }: Operation): Promise<boolean> {
  const now = await findOperation(query, id);
  return now !== undefined && now.appliedAt !== null;
}

/**
 * Whether the tenant is as the operation was to make it. One that was applied stays so: what is wanted of the
 * tenant may have changed since, by the next operation.
 */
async function isDone(query: Query, operation: Operation): Promise<boolean> {
  return (await isApplied(query, operation)) || isAsWanted(query, operation.tenantId);
}

/** @throws {@link TenantConflictError} where somebody else's doing, which the caller can know, stopped the run. */
async function refuseConflict(
  query: Query,
  wanted: WantedTenant,
  faults: readonly string[],
): Promise<void> {
  const dependents = dependentsIn(faults);
  if (dependents !== undefined) {
    throw new TenantConflictError(
      `Nothing was purged, as the tenant's tables are in use outside of it, by ${dependents}: drop that first`,
    );
  }
  const { id, spec } = wanted;
  const own = await tenantById(query, id);
  if (own?.owner && isLetGo(own)) {
    throw new TenantConflictError(`The tenant is declared by ${own.owner}`);
  }
  const holder = holdsSlug(wanted) ? await tenantBySlug(query, spec.slug) : undefined;
  if (holder !== undefined && holder.id !== id) {
    throw new TenantConflictError(`The slug ${spec.slug} is taken`);
  }
}
