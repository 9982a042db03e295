import type { PoolClient } from "pg";
import { SlugTakenError } from "../contract/errors";
import { urnOf } from "../contract/tenant-urn";
import { inTransaction, isDatabaseError, withConnection } from "../database/pool";
import type { DatabaseAddress } from "../database/settings";

/** Which tenant was to have a slug or an id. */
interface Wanted {
  /** Left out where its row has it. */
  readonly slug?: string;
  readonly tenantId?: string | undefined;
  /** Left out where the tenant is there already, and so is not another one under a new name. */
  readonly owner?: string | undefined;
  /** Whether a tenant that has no owner would be taken over. */
  readonly adopt?: boolean | undefined;
}

/**
 * Does the work in a transaction; where it would have given a tenant a slug or an id that another has, says who
 * that is.
 *
 * @throws {@link SlugTakenError}
 */
export async function namingConflicts<T>(
  database: DatabaseAddress,
  wanted: Wanted,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  try {
    return await inTransaction(database, work);
  } catch (error) {
    if (!isDatabaseError(error, "23505")) throw error; // unique_violation
    throw await withConnection(database, (client) => slugTaken(client, wanted, { cause: error }));
  }
}

/** The error that says who has the slug, or else the id, and what can be done about it. */
export async function slugTaken(
  client: PoolClient,
  { slug: wanted, tenantId, owner, adopt }: Wanted,
  options?: ErrorOptions,
): Promise<SlugTakenError> {
  const { rows } = await client.query<Holder>(
    `with wanted as (
      select coalesce($1, (select slug from public.tenants where id = $2)) as slug
    )
    select id, t.slug, owner from public.tenants t, wanted
    where t.slug = wanted.slug and status <> 'deleted' and id is distinct from $2
    union all
    select id, slug, owner from public.tenants
    where id = $2 and $3::text is not null and owner is distinct from $3`,
    [wanted ?? null, tenantId ?? null, owner ?? null],
  );
  const [holder] = rows;
  if (holder === undefined) {
    return new SlugTakenError(`slug ${wanted ?? "of the tenant"} was taken just now`, options);
  }
  const { slug } = holder;
  const deleted =
    tenantId === undefined && owner !== undefined
      ? await deletedRow(client, { slug, owner })
      : undefined;
  const restore =
    deleted === undefined
      ? ""
      : `. Your own deleted tenant ${slug} is restored under another slug with id: ${deleted}`;
  return new SlugTakenError(
    `${takenMessage(holder, { tenantId, owner, adopt })}${restore}`,
    options,
  );
}

/** A row of `public.tenants` that has a slug or an id which another tenant is to have. */
export interface Holder {
  readonly id: string;
  readonly slug: string;
  readonly owner: string | null;
}

/** Says who has the slug, or the id, and what can be done about it. */
export function takenMessage({ id, slug, owner }: Holder, wanted: Omit<Wanted, "slug">): string {
  const what = id === wanted.tenantId ? `id ${id}` : `slug ${slug}`;
  const taken = `${what} is taken, by tenant ${slug} (id ${id})`;
  if (owner === null) {
    return `${taken}, which has no owner: give this tenant adopt: true, which takes it over, or another slug`;
  }
  const there = wanted.adopt === true ? "have it released" : "leave it out";
  const why = wanted.adopt === true ? " (adopt: true takes a tenant that has no owner)" : "";
  const advice = `choose another slug, or ${there} there first${why}`;
  return `${taken} of ${owner}: ${advice}${aliasAdvice(owner, wanted.owner)}`;
}

/**
 * What to do where a stack declares one of its own tenants under another name or parent. The failed run has
 * left the new component in the state. Where both components are protected, the engine would refuse to let
 * the old one go, so the new one has to be taken out of the state first.
 */
function aliasAdvice(holder: string, asker = ""): string {
  const [old, now] = [urnOf(holder), urnOf(asker)];
  const isOneStack = holder.split("::")[0] === asker.split("::")[0];
  if (old === undefined || now === undefined || !isOneStack) return "";
  return (
    `. If it is the same tenant under another name or parent, give it the option aliases: ["${old}"]; with ` +
    `protect: true, run first: pulumi state delete --force --yes '${now}'`
  );
}

/** The row of the same owner and slug that was deleted last, where none that is not deleted has both. */
export async function deletedRow(
  client: PoolClient,
  { slug, owner }: Required<Pick<Wanted, "slug" | "owner">>,
): Promise<string | undefined> {
  const { rows } = await client.query<{ id: string }>(
    `select id from public.tenants t where slug = $1 and owner = $2 and status = 'deleted'
      and not exists (
        select from public.tenants where slug = $1 and owner = $2 and status <> 'deleted'
      )
    order by deleted_at desc nulls last limit 1`,
    [slug, owner],
  );
  return rows[0]?.id;
}
