import { ENGINE, type WantedFacets } from "../../provider/database/drift/facet";
import type { Query } from "../database/database";
import { PROJECT } from "../config/project";

/** A tenant whose drift can be told. */
export type Looked = WantedFacets & {
  /** What its log lines call it. */
  readonly slug: string;
};

/** Which tenants are looked at: one, or so many after one in the order of their ids. */
export type Which =
  { readonly id: string } | { readonly after: string | undefined; readonly limit: number };

/** Some tenants, and the id up to which they were read. */
export interface Wanted {
  readonly tenants: readonly Looked[];
  /** Undefined where there are no more. */
  readonly last: string | undefined;
}

/**
 * Reads what is wanted of tenants. Left out are those that somebody is at work on: an operation of the tenant
 * waits or runs, or its purge has begun, or its stack is making it.
 */
export async function wantedFacets(query: Query, which: Which): Promise<Wanted> {
  const isOne = "id" in which;
  const rows = await query<Row>(statement(isOne), isOne ? [which.id] : [which.after, which.limit]);
  return {
    tenants: rows.filter(({ isBusy }) => !isBusy).map(lookedOf),
    last: isOne || rows.length < which.limit ? undefined : rows.at(-1)?.id,
  };
}

interface Row {
  readonly id: string;
  readonly isBusy: boolean;
  readonly slug: string;
  /** Who declares it, of a tenant that the service does not; null where nobody does. */
  readonly owner: string | null;
  /** Null where the service does not declare it. */
  readonly wanted: {
    readonly name: string;
    readonly slug: string;
    readonly status: "active" | "suspended" | "deleted";
    readonly adminEmail: string;
    readonly stack: string | null;
  } | null;
}

const page = `(select id from public.tenants where $1::uuid is null or id > $1 order by id limit $2)
  union (select id from public.service_tenants where $1::uuid is null or id > $1 order by id limit $2)
  order by id limit $2`;

const statement = (isOne: boolean) => `
  select p.id, coalesce(w.slug, t.slug) as slug, t.owner,
    exists (select from public.operations o where o.tenant_id = p.id
        and o.status in ('queued', 'running') and o.applied_at is null)
      or coalesce(w.status = 'purged', t.status = 'provisioning') as "isBusy",
    case when w.id is not null then jsonb_build_object('name', w.spec ->> 'name', 'slug', w.slug,
      'status', w.status, 'adminEmail', w.spec ->> 'adminEmail', 'stack', w.stack) end as wanted
  from (${isOne ? "select $1::uuid as id" : page}) p
  left join public.tenants t on t.id = p.id
  left join public.service_tenants w on w.id = p.id
  where t.id is not null or w.id is not null
  order by p.id`;

function lookedOf({ id, slug, owner, wanted }: Row): Looked {
  if (wanted !== null) {
    const declared = {
      ...wanted,
      owner: `organization/${PROJECT}/${wanted.stack ?? "none"}::${id}`,
    };
    return { id, slug, declared, repair: ENGINE };
  }
  const repair =
    owner === null
      ? "nobody declares the tenant: adopt it first"
      : `it is declared by ${owner}: run pulumi refresh and pulumi up there`;
  return { id, slug, declared: undefined, repair };
}
