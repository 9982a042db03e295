import type { RunRequest } from "../pulumi/engine-runs";
import type { TenantRow } from "../tenants/tenants";
import { isLetGo, type WantedTenant } from "../tenants/wanted-tenant";

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
 * A purge takes two, and so does a release: what the engine does to a resource that is left out is decided by its
 * state. So the first run brings into the state that the data may be destroyed, or the tenant let go, and the second
 * leaves the tenant out.
 *
 * @param stack Every tenant of its stack, itself included.
 * @param row The tenant's row, if it has one. A purge whose first run made the row of one anew that is gone already
 * would do for nothing what its second run undoes; and a tenant that was let go may be somebody else's by now.
 */
export function runsFor(
  wanted: WantedTenant,
  stack: readonly WantedTenant[],
  row: TenantRow | undefined,
): PlannedRun[] {
  if (wanted.status !== "purged" && !wanted.released) {
    return [{ tenants: stack, mayDelete: [], isLast: true }];
  }
  const isThere = row !== undefined && !(wanted.released && isLetGo(row));
  const others = stack.filter((tenant) => tenant !== wanted);
  const mayDelete = [wanted.id];
  return [
    ...(isThere ? [{ tenants: stack, mayDelete, isLast: false }] : []),
    { tenants: others, mayDelete, isLast: true },
  ];
}
