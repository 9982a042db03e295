import type { PoolClient } from "pg";
import { OvertakenError, TenantGoneError } from "../contract/errors";
import { setGate } from "./product-roles";

/** What a declaration can want of a tenant. `provisioning` is what it is until then. */
export const declaredStatuses = ["active", "suspended", "deleted"] as const;

/** One of {@link declaredStatuses}. */
export type DeclaredStatus = (typeof declaredStatuses)[number];

/** How a tenant is to be, and by which declaration. */
export interface WantedStatus {
  readonly tenantId: string;
  readonly status: DeclaredStatus;
  /** Absent where whoever declares the tenant does not count its declarations. */
  readonly generation?: number | undefined;
}

/** How a tenant is to be that nobody is to use. */
export interface UnwantedStatus extends WantedStatus {
  readonly status: "suspended" | "deleted";
  /** The roles to whom its schema is closed. */
  readonly productRoles?: readonly string[] | undefined;
}

/**
 * Sets a tenant's status, its times and its admin. The row stays locked until the transaction ends.
 *
 * @throws {@link OvertakenError} where a newer declaration was here before; {@link TenantGoneError} where
 * there is no row. Nothing is changed then.
 */
export async function setStatus(
  client: PoolClient,
  { tenantId, status, generation }: WantedStatus,
  adminUserId: string,
): Promise<void> {
  const { rowCount } = await client.query(
    `update public.tenants set status = $2, admin_user_id = $3,
      suspended_at = case $2 when 'active' then null
        when 'suspended' then coalesce(suspended_at, now()) else suspended_at end,
      deleted_at = case $2 when 'deleted' then coalesce(deleted_at, now()) end,
      generation = greatest(generation, $4::bigint), updated_at = now()
    where id = $1 and generation <= coalesce($4::bigint, generation)`,
    [tenantId, status, adminUserId, generation ?? null],
  );
  if (rowCount === 0) throw await whyNot(client, tenantId, generation);
}

/**
 * Takes a tenant out of service at once, and closes its schema to the product: the first thing that a run does which suspends or deletes it, whatever
 * fails after that. Of a tenant that was never published, or that is deleted, there is nothing to suspend. Where
 * there is no row, does nothing.
 *
 * @throws {@link OvertakenError} where a newer declaration was here before.
 */
export async function unpublish(
  client: PoolClient,
  { tenantId, status, generation, productRoles = [] }: UnwantedStatus,
): Promise<void> {
  await assertNotOvertaken(client, tenantId, generation);
  await client.query(
    status === "deleted"
      ? `update public.tenants
        set status = 'deleted', deleted_at = coalesce(deleted_at, now()), updated_at = now()
        where id = $1`
      : `update public.tenants
        set status = 'suspended', suspended_at = coalesce(suspended_at, now()), updated_at = now()
        where id = $1 and status = 'active'`,
    [tenantId],
  );
  if (productRoles.length > 0) await setGate(client, `tenant_${tenantId}`, "closed", productRoles);
}

/**
 * Locks a tenant's row until the transaction ends, and checks that no newer declaration was here before.
 *
 * @throws {@link OvertakenError}
 */
export async function assertNotOvertaken(
  client: PoolClient,
  tenantId: string,
  generation: number | undefined,
): Promise<void> {
  const { rows } = await client.query<{ generation: string }>(
    "select generation from public.tenants where id = $1 for update",
    [tenantId],
  );
  const [row] = rows;
  if (row === undefined || generation === undefined || Number(row.generation) <= generation) return;
  throw new OvertakenError(
    `tenant ${tenantId} was brought to generation ${row.generation} of its declaration meanwhile, and ` +
      `this run is of generation ${generation}: nothing was changed`,
  );
}

async function whyNot(
  client: PoolClient,
  tenantId: string,
  generation: number | undefined,
): Promise<TenantGoneError> {
  await assertNotOvertaken(client, tenantId, generation);
  return new TenantGoneError(`tenant ${tenantId} is gone: run pulumi refresh, then up`);
}
