import type { RunRequest } from "../pulumi/engine-runs";
import type { WantedTenant } from "../tenants/wanted-tenant";

/** One of the engine runs of an operation. */
interface PlannedRun extends Pick<RunRequest, "mayDelete"> {
  /** Every tenant that it declares. */
  readonly tenants: readonly WantedTenant[];
  readonly isLast: boolean;
}

/**
 * The engine runs, one after the other, that bring a tenant to what is wanted of it. Each can be run again,
 * also when one after it was begun.
 *
 * A purge takes two: what the engine does to a resource that is left out is decided by its state. So the first
 * run brings into the state that the data may be destroyed, and the second leaves the tenant out.
 *
 * @param stack Every tenant of its stack, itself included.
 * @param isThere Whether the tenant has a row. A purge whose first run made the row of one anew that is gone
 * already would do for nothing what its second run undoes.
 */
export function runsFor(
  wanted: WantedTenant,
  stack: readonly WantedTenant[],
  isThere: boolean,
): PlannedRun[] {
  if (wanted.status !== "purged") return [{ tenants: stack, mayDelete: [], isLast: true }];
  const others = stack.filter((tenant) => tenant !== wanted);
  const mayDelete = [wanted.id];
  return [
    ...(isThere ? [{ tenants: stack, mayDelete, isLast: false }] : []),
    { tenants: others, mayDelete, isLast: true },
  ];
}
