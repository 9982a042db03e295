import type { Database } from "../../database/database";
import { removedStacksOf, type RemovedStacks } from "./removed-stacks";
import { spareStacksOf, type SpareStacks } from "./spare-stacks";
import { tenantStacksOf, type TenantStacks } from "./tenant-stacks";

export type { StackRow } from "./stack-row";

/**
 * The service's stacks, and which tenant has which. A stack is being made, spare (anybody may take it),
 * prestarted (an instance holds it for a run that waits), taken (by a tenant), or to be removed. All methods
 * reject with DatabaseDownError when the database is down.
 */
export interface Stacks extends TenantStacks, SpareStacks, RemovedStacks {}

/** @param instance The id of this instance. */
export function stacksOf(database: Database, instance: string): Stacks {
  const removed = removedStacksOf(database, instance);
  return {
    ...tenantStacksOf(database, instance),
    ...spareStacksOf(database, instance, removed.giveUp),
    ...removed,
  };
}
