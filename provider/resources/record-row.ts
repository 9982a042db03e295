import type { PoolClient } from "pg";
import { SlugTakenError, TenantGoneError } from "../contract/errors";
import { isDatabaseError } from "../database/pool";
import { removeUserUnlessNeeded } from "../database/users";

/** What of a tenant's row its declaration says. */
export interface DeclaredRow {
  readonly name: string;
  readonly slug: string;
  /** Who declares it: `organization/project/stack::name`. */
  readonly owner: string;
  /** The tenant's id, where the program names one. */
  readonly tenantId?: string | undefined;
}

/**
 * Makes the tenant's row, or goes on with the one that an interrupted run of the same owner left: the row
 * of the id, or of the slug.
 *
 * @returns the tenant's id.
 * @throws {@link SlugTakenError} when another tenant, or another owner, has the slug or the id.
 */
export async function insertOrAdopt(client: PoolClient, inputs: DeclaredRow): Promise<string> {
  const values = [inputs.tenantId ?? null, inputs.name, inputs.slug, inputs.owner];
  // A run may have died after it changed the slug. Its row is there, with the slug of either declaration.
  const own = await namingConflicts(client, inputs, () =>
    client.query<{ id: string }>(
      `update public.tenants set name = $2, slug = $3,
        status = case status when 'deleted' then 'provisioning' else status end, updated_at = now()
      where id = $1 and owner = $4 returning id`,
      values,
    ),
  );
  if (own.rows[0] !== undefined) return own.rows[0].id;
  const { rows } = await namingConflicts(client, inputs, () =>
    client.query<{ id: string }>(
      `insert into public.tenants as t (id, name, slug, owner)
      values (coalesce($1, gen_random_uuid()), $2, $3, $4)
      on conflict (slug) do update
      set name = excluded.name,
        status = case t.status when 'deleted' then 'provisioning' else t.status end,
        updated_at = now()
      where t.owner = excluded.owner and ($1::uuid is null or t.id = $1)
      returning id`,
      values,
    ),
  );
  if (rows[0] === undefined) throw await slugTaken(client, inputs);
  return rows[0].id;
}

/** Changes the tenant's row; makes it again, under the same id, where it is gone. Takes back `deleted`. */
export async function updateOrRestore(
  client: PoolClient,
  id: string,
  { name, slug, owner, tenantId }: DeclaredRow,
): Promise<void> {
  await namingConflicts(client, { slug, tenantId }, () =>
    client.query(
      `insert into public.tenants as t (id, name, slug, owner)
      values ($1, $2, $3, $4)
      on conflict (id) do update
      set name = excluded.name, slug = excluded.slug, owner = excluded.owner,
        status = case t.status when 'deleted' then 'provisioning' else t.status end,
        updated_at = now()`,
      [id, name, slug, owner],
    ),
  );
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

/** Runs a statement that may violate a unique constraint, and says then who has the slug or the id. */
async function namingConflicts<T>(
  client: PoolClient,
  wanted: Pick<DeclaredRow, "slug" | "tenantId">,
  statement: () => Promise<T>,
): Promise<T> {
  try {
    return await statement();
  } catch (error) {
    if (!isDatabaseError(error, "23505")) throw error; // unique_violation
    throw await slugTaken(client, wanted, { cause: error });
  }
}

/** The error that says who has the slug or the id, and what can be done about it. */
async function slugTaken(
  client: PoolClient,
  wanted: Pick<DeclaredRow, "slug" | "tenantId">,
  options?: ErrorOptions,
): Promise<SlugTakenError> {
  const { rows } = await client.query<Holder>(
    "select id, slug, owner, status from public.tenants where slug = $1 or id = $2",
    [wanted.slug, wanted.tenantId ?? null],
  );
  const [holder] = rows;
  if (holder === undefined)
    return new SlugTakenError(`slug ${wanted.slug} was taken just now`, options);
  return new SlugTakenError(takenMessage(wanted.slug, holder), options);
}

/** A row of `public.tenants` that has a slug or an id which another tenant is to have. */
export interface Holder {
  readonly id: string;
  readonly slug: string;
  readonly owner: string;
  readonly status: string;
}

/** Says who has the slug, or the id, and what can be done about it. */
export function takenMessage(wanted: string, { id, slug, owner, status }: Holder): string {
  const advice =
    status === "deleted"
      ? `it is marked deleted and keeps its slug with its data. To free it, declare it there again ` +
        `with forceDestroy: true, apply, and leave it out`
      : `choose another slug, or leave it out there first. If it is the same tenant under another ` +
        `name or parent, give it the old one in the option aliases`;
  return `slug ${wanted} is taken, by tenant ${slug} (id ${id}) of ${owner}: ${advice}`;
}
