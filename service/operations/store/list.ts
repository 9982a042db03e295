import type { Query } from "../../database/database";
import {
  microseconds,
  pageOf,
  Parameters,
  timeOf,
  type Page,
  type Place,
} from "../../database/pages";
import type { KindName, Operation } from "./operation";
import { columns } from "./store";

/** Each status of an operation. */
export const operationStatuses = ["queued", "running", "succeeded", "failed"] as const;

/** Which operations a list has. */
export interface OperationFilter {
  readonly tenantId?: string | undefined;
  readonly kind: readonly KindName[];
  readonly status: readonly Operation["status"][];
}

/** A part of the list of operations, the newest first. It costs the same wherever it is in a long history. */
export async function listOperations(
  query: Query,
  { tenantId, kind, status }: OperationFilter,
  { limit, after }: { readonly limit: number; readonly after: Place | undefined },
): Promise<Page<Operation>> {
  const { values, add } = new Parameters();
  const [kinds, statuses, most] = [add(kind), add(status), add(limit + 1)];
  const isAfter =
    after === undefined
      ? ""
      : `and (o.created_at, o.id) < (${timeOf(add(after.key))}, ${add(after.id)}::uuid)`;
  const newest = (condition: string) =>
    `select o.id, o.created_at from public.operations o where ${condition} ${isAfter}
      order by o.created_at desc, o.id desc limit ${most}`;
  // Without a tenant, each kind in each status is read in order from its own part of the index: the few that
  // failed are not searched for among all that succeeded.
  const page =
    tenantId === undefined
      ? `select page.* from unnest(${kinds}::text[]) as kinds (kind)
        cross join unnest(${statuses}::text[]) as statuses (status)
        cross join lateral (
          ${newest("o.kind = kinds.kind and o.status = statuses.status")}
        ) page
        order by created_at desc, id desc limit ${most}`
      : newest(
          `o.tenant_id = ${add(tenantId)} and o.kind = any(${kinds}) and o.status = any(${statuses})`,
        );
  const rows = await query<Operation & Place>(
    `with page as (${page})
    select ${columns}, ${microseconds("created_at")} as key
    from public.operations where id in (select id from page) order by created_at desc, id desc`,
    values,
  );
  return pageOf(rows, limit);
}
