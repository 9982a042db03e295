import type { Query } from "../database/database";
import { microseconds, pageOf, Parameters, timeOf, type Page, type Place } from "../database/pages";
import { tenantStatuses, viewColumns, type TenantView } from "./tenants";

/** Each order of a list of tenants; `-` is the reverse one. */
export const tenantSorts = ["-createdAt", "createdAt", "name", "-name", "slug", "-slug"] as const;

/** Which tenants a list has. */
export interface TenantFilter {
  readonly status: readonly (typeof tenantStatuses)[number][];
  /** What the name or the slug begins with, in any case; undefined for all. */
  readonly q?: string | undefined;
  /** Whether the latest look at all tenants found them as wanted; undefined for all. */
  readonly drifted?: boolean | undefined;
}

/** Which part of a list is asked for: what comes after a place, or after a number of tenants. */
export interface TenantPart {
  readonly sort: (typeof tenantSorts)[number];
  readonly limit: number;
  readonly after: Place | number;
}

/**
 * A part of the list of tenants. After a place it costs the same wherever the place is; after a number of
 * tenants, those are read and left out.
 */
export async function listTenants(
  query: Query,
  { status, q, drifted }: TenantFilter,
  { sort, limit, after }: TenantPart,
): Promise<Page<TenantView>> {
  const { values, add } = new Parameters();
  const { key, text, place } = orders[sort.replace("-", "") as keyof typeof orders];
  const [direction, beyond] = sort.startsWith("-") ? ["desc", "<"] : ["asc", ">"];
  const [statuses, most] = [add(status), add(limit + 1)];
  const offset = add(typeof after === "number" ? after : 0);
  const isAfter =
    typeof after === "number"
      ? ""
      : `and (${key}, t.id) ${beyond} (${place(add(after.key))}, ${add(after.id)}::uuid)`;
  // Each status is read in order from its own part of the index, and only as far as the page reaches.
  const rows = await query<TenantView & Place>(
    `with page as (
      select page.* from unnest(${statuses}::text[]) as wanted (status)
      cross join lateral (
        select t.id, ${key} as key from public.tenants t
        where t.status = wanted.status ${isAfter} ${begins(q, add)} ${differs(drifted)}
        order by ${key} ${direction}, t.id ${direction} limit ${most}::bigint + ${offset}::bigint
      ) page
      order by key ${direction}, id ${direction} limit ${most} offset ${offset}
    )
    select ${viewColumns}, ${text} as key
    from page join public.tenants t on t.id = page.id
      left join public.service_tenants w on w.id = t.id
    order by page.key ${direction}, page.id ${direction}`,
    values,
  );
  return pageOf(rows, limit);
}

/** How many tenants a list has. It reads them all in an index: about 10 ms for 100,000. */
export async function countTenants(
  query: Query,
  { status, q, drifted }: TenantFilter,
): Promise<number> {
  const { values, add } = new Parameters();
  const [row] = await query<{ total: number }>(
    `select count(*)::int as total from public.tenants t
    where t.status = any(${add(status)}) ${begins(q, add)} ${differs(drifted)}`,
    values,
  );
  return row?.total ?? 0;
}

/** What a list is ordered by, as its index in the migrations has it; its place in the order as text, and back. */
const orders = {
  createdAt: { key: "t.created_at", text: microseconds("t.created_at"), place: timeOf },
  name: { key: `lower(t.name) collate "C"`, text: "lower(t.name)", place: asText },
  slug: { key: `t.slug collate "C"`, text: "t.slug", place: asText },
};

function asText(parameter: string): string {
  return `${parameter}::text`;
}

function differs(drifted: boolean | undefined): string {
  if (drifted === undefined) return "";
  return `and ${drifted ? "" : "not"} exists (select from public.service_drift where tenant_id = t.id)`;
}

function begins(q: string | undefined, add: (value: unknown) => string): string {
  if (q === undefined) return "";
  const beginning = `lower(${add(q)}::text)`;
  // Unlike in a pattern of LIKE, no character has a meaning of its own for `^@`.
  return `and (lower(t.name) ^@ ${beginning} or t.slug ^@ ${beginning})`;
}
