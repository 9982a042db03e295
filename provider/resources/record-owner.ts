import type { ClientBase, PoolClient } from "pg";
import { OwnerChangedError } from "../contract/errors";
import { urnOf } from "../contract/tenant-urn";
import { slugTaken } from "./slug-conflicts";

/** Which tenant without an owner is to get one. */
interface Adoption {
  /** Without an id the tenant is found by its slug. */
  readonly tenantId?: string | undefined;
  readonly slug: string;
  readonly owner: string;
  readonly generation?: number | undefined;
}

/**
 * Makes a tenant that has no owner this one's. A deleted one is found by its id only: its slug is free, and
 * may have been that of several.
 *
 * @returns its id; undefined where there is no such tenant.
 */
export async function takeOver(
  client: PoolClient,
  { tenantId, slug, owner, generation }: Adoption,
): Promise<string | undefined> {
  const { rows } = await client.query<{ id: string }>(
    // Where the owner counts its declarations, the count begins anew with it. The last step is who reaches it: a row
    // that was active before is not as declared until then.
    `update public.tenants
    set owner = $3, generation = coalesce($4::bigint - 1, generation), updated_at = now()
    where owner is null
      and (id = $1 or ($1::uuid is null and slug = $2 and status <> 'deleted'))
    returning id`,
    [tenantId ?? null, slug, owner, generation ?? null],
  );
  return rows[0]?.id;
}

/** Takes a tenant's owner away, where that is still this one. Of a released tenant an older run changes nothing. */
export async function letGo(
  client: PoolClient,
  id: string,
  { owner, generation }: { readonly owner: string; readonly generation?: number | undefined },
): Promise<void> {
  await client.query(
    `update public.tenants
    set owner = null, generation = greatest(generation, $3::bigint), updated_at = now()
    where id = $1 and owner = $2`,
    [id, owner, generation ?? null],
  );
}

/**
 * Checks that nobody else has become a tenant's owner since the state was written.
 *
 * @throws {@link SlugTakenError} that names the owner.
 */
export async function assertOwned(
  client: PoolClient,
  id: string,
  declared: {
    readonly slug: string;
    readonly owner: string;
    /** By the state: another one where the tenant has another name or parent now, or its stack has. */
    readonly ownerBefore: string | undefined;
  },
): Promise<void> {
  const { slug, owner, ownerBefore } = declared;
  const { rowCount } = await client.query(
    `select from public.tenants where id = $1 and owner is not null and owner not in ($2, $3)
    for update`,
    [id, owner, ownerBefore ?? owner],
  );
  if (rowCount !== 0) throw await slugTaken(client, { slug, tenantId: id, owner });
}

/**
 * Checks, before a tenant is ended, that it is still the owner's by whose state it ends. Locks the row until the
 * transaction ends. A tenant without a row is nobody else's.
 *
 * @param owner By the state; undefined in one from before the last step kept it, and then anybody's will do.
 * @throws {@link OwnerChangedError}
 */
export async function assertOwnToEnd(
  client: PoolClient,
  tenantId: string,
  owner: string | undefined,
): Promise<void> {
  await client.query("select from public.tenants where id = $1 for update", [tenantId]);
  const refused = await refusedEnd(client, tenantId, owner);
  if (refused !== undefined) throw new OwnerChangedError(refused);
}

/**
 * Why a tenant must not be ended by a state that has this owner; undefined where it may be. For a preview, which
 * says it beforehand.
 */
export async function refusedEnd(
  client: ClientBase,
  tenantId: string,
  owner: string | undefined,
): Promise<string | undefined> {
  if (owner === undefined) return undefined;
  const { rows } = await client.query<{ slug: string; owner: string | null }>(
    "select slug, owner from public.tenants where id = $1 and owner is distinct from $2",
    [tenantId, owner],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const whose = row.owner === null ? "has no owner any more" : `is ${row.owner}'s now`;
  return (
    `tenant ${row.slug} (id ${tenantId}) ${whose}, and no more ${owner}'s: nothing of it was changed. To take it out ` +
    `of this stack's state alone: pulumi state delete --target-dependents --yes '${urnOf(owner) ?? owner}'`
  );
}
