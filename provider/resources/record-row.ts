import type { PoolClient } from "pg";
import { TenantGoneError } from "../contract/errors";
import { assertProductRoles } from "../database/product-roles";
import { assertNotOvertaken, unpublish } from "../database/tenant-status";
import { takeOver } from "./record-owner";
import { deletedRow, slugTaken } from "./slug-conflicts";
import { removeUserUnlessNeeded } from "../database/users";

/** What of a tenant's row its declaration says. */
export interface DeclaredRow {
  readonly name: string;
  readonly slug: string;
  /** Who declares it: `organization/project/stack::name`. */
  readonly owner: string;
  /** The tenant's id, where the program names one. */
  readonly tenantId?: string | undefined;
  /** Whether a tenant that has no owner is taken over. */
  readonly adopt?: boolean | undefined;
  /** Absent where the tenant is to be active. */
  readonly status?: "suspended" | "deleted" | undefined;
  /** Which declaration it is. */
  readonly generation?: number | undefined;
  /** The roles to whom its schema is closed where it is not to be active. */
  readonly productRoles?: readonly string[] | undefined;
}

// A row that is to be published stays as it is until the last step, and a deleted one is `provisioning` until
// then: it has its slug again, and nobody may use it yet.
const status = `case when $5::text = 'deleted' or t.status <> 'deleted' then t.status else 'provisioning' end`;

/**
 * Makes the tenant's row, or goes on with its owner's own: one that an interrupted run left, or one that was
 * deleted, which gets its slug back. It is found by its id, or by its slug where the program names no id. With
 * `adopt`, a row that has no owner becomes its own first. To be called in a transaction.
 *
 * @returns the tenant's id.
 * @throws {@link SlugTakenError} when another tenant, or another owner, has the id; unique_violation when
 * another has the slug: see `namingConflicts`; {@link OvertakenError}; {@link ConfigurationError} where a
 * role of the product's is not there.
 */
export async function insertOrAdopt(client: PoolClient, inputs: DeclaredRow): Promise<string> {
  const { tenantId, name, slug, owner } = inputs;
  await assertProductRoles(client, inputs.productRoles);
  const adopted = inputs.adopt === true ? await takeOver(client, inputs) : undefined;
  const id = tenantId ?? adopted ?? (await deletedRow(client, inputs));
  const values = [id ?? null, name, slug, owner, inputs.status ?? null];
  if (id !== undefined) await assertNotOvertaken(client, id, inputs.generation);
  // A run may have died after it changed the slug. Its row is there, with the slug of either declaration.
  const own = await client.query<{ id: string }>(
    `update public.tenants as t set name = $2, slug = $3, status = ${status}, updated_at = now()
    where id = $1 and owner = $4 returning id`,
    values,
  );
  const made = own.rows[0] ?? (await insert(client, values));
  if (made === undefined) throw await slugTaken(client, inputs);
  await unpublishIfWanted(client, made.id, inputs);
  return made.id;
}

async function insert(client: PoolClient, values: unknown[]): Promise<{ id: string } | undefined> {
  const { rows } = await client.query<{ id: string }>(
    `insert into public.tenants as t (id, name, slug, owner, status)
    values (coalesce($1, gen_random_uuid()), $2, $3, $4,
      case $5::text when 'deleted' then 'deleted' else 'provisioning' end)
    on conflict (slug) where status <> 'deleted' do update
    set name = excluded.name, updated_at = now()
    where t.owner = excluded.owner and ($1::uuid is null or t.id = $1)
    returning id`,
    values,
  );
  return rows[0];
}

/**
 * Changes the tenant's row; makes it again, under the same id, where it is gone. Takes back `deleted` unless
 * that is declared. To be called in a transaction.
 *
 * @throws as {@link insertOrAdopt} does.
 */
export async function updateOrRestore(
  client: PoolClient,
  id: string,
  declared: DeclaredRow,
): Promise<void> {
  await assertNotOvertaken(client, id, declared.generation);
  await client.query(
    `insert into public.tenants as t (id, name, slug, owner, status)
    values ($1, $2, $3, $4, case $5::text when 'deleted' then 'deleted' else 'provisioning' end)
    on conflict (id) do update
    set name = excluded.name, slug = excluded.slug, owner = excluded.owner, status = ${status},
      updated_at = now()`,
    [id, declared.name, declared.slug, declared.owner, declared.status ?? null],
  );
  await unpublishIfWanted(client, id, declared);
}

async function unpublishIfWanted(
  client: PoolClient,
  tenantId: string,
  { status, ...declared }: DeclaredRow,
): Promise<void> {
  if (status !== undefined) await unpublish(client, { ...declared, tenantId, status });
}

/** @throws {@link TenantGoneError} when the database that another variable names does not have the tenant. */
export async function assertMoved(
  client: PoolClient,
  id: string,
  { urlEnv, slug }: { readonly urlEnv: string; readonly slug: string },
): Promise<void> {
  const { rowCount } = await client.query("select from public.tenants where id = $1", [id]);
  if (rowCount === 0) {
    throw new TenantGoneError(
      `tenant ${slug} (${id}) is not in the database of ${urlEnv}: move its data there first, or ` +
        `give the tenant of that database a slug and a name of its own`,
    );
  }
}

/** Deletes the row, its memberships, and the users who were made for it and are not needed any more. */
export async function removeTenant(client: PoolClient, id: string): Promise<void> {
  const members = await client.query<{ user_id: string }>(
    "delete from public.tenant_users where tenant_id = $1 returning user_id",
    [id],
  );
  await client.query("delete from public.tenants where id = $1", [id]);
  for (const { user_id } of members.rows) await removeUserUnlessNeeded(client, user_id);
}
