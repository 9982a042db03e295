import type { ClientBase } from "pg";
import type { MigrationDigests } from "../../provider/database/migrations";
import { inTransaction, isDatabaseError, withConnection } from "../../provider/database/pool";
import type { DatabaseAddress } from "../../provider/database/settings";
import { assertChosen, chosenTenants } from "../choice";
import { RolloutConflictError } from "../errors";
import { assertNoneEdited, lacksAny } from "../lacking";
import { openRollout } from "./read";
import type { Rollout, RolloutOptions } from "./rollout";

/**
 * Makes a rollout of all chosen tenants that lack a file; it is run by `runRollout`.
 *
 * @param files What the folder of migrations holds.
 * @param served Given where the instances of the service are to run it.
 * @returns its id; undefined where no tenant lacks any.
 * @throws {@link MigrationFailedError} where an applied file was edited, or is gone; {@link TenantsUnknownError} where
 * a slug is no tenant's; {@link RolloutConflictError} where another rollout has not ended.
 */
export async function beginRollout(
  database: DatabaseAddress,
  options: RolloutOptions,
  files: MigrationDigests,
  served?: { readonly askedBy: string | null },
): Promise<string | undefined> {
  return notBesideAnother(
    database,
    inTransaction(database, async (client) => {
      await assertChosen(client, options);
      await assertNoneEdited(client, options, files);
      const { rows } = await client.query<{ id: string }>(
        `insert into public.rollouts (files, options, is_served, asked_by) values ($1, $2, $3, $4)
        returning id`,
        [files, options, served !== undefined, served?.askedBy ?? null],
      );
      const [{ id } = { id: "" }] = rows;
      if ((await addLacking(client, { id, files, options })) > 0) return id;
      await client.query("delete from public.rollouts where id = $1", [id]);
      return undefined;
    }),
  );
}

/**
 * Adds the chosen tenants that lack a file and are not in the rollout yet, behind those that are. Tenants that are
 * active come before those that are not, and the first of all are the canaries.
 *
 * @returns how many were added.
 */
export async function addLacking(
  client: ClientBase,
  { id, files, options }: Pick<Rollout, "id" | "files" | "options">,
): Promise<number> {
  const { rowCount } = await client.query(
    `with sizes as (
      select nspname as schema_name, sum(relpages) as pages
      from pg_class join pg_namespace n on n.oid = relnamespace
      where $4 = 'smallest' and nspname like 'tenant%' group by nspname
    ),
    lacking as (
      select chosen.id, row_number() over (order by
        array_position(array['active', 'suspended', 'deleted'], status), pages nulls first,
        case when $4 = 'newest' then created_at end desc, created_at, chosen.id
      ) as place
      from (${chosenTenants("$2", "$3::text[]")}) as chosen left join sizes using (schema_name)
      where ${lacksAny("chosen.schema_name", "$6::text[]")}
    ),
    present as (
      select coalesce(max(position), 0) as last from public.rollout_tenants where rollout_id = $1
    )
    insert into public.rollout_tenants (rollout_id, tenant_id, position, is_canary)
    select $1, id, last + place, last + place <= $5 from lacking, present
    on conflict (rollout_id, tenant_id) do nothing`,
    [id, options.owner, options.only, options.order, options.canary, Object.keys(files)],
  );
  return rowCount ?? 0;
}

/** @throws {@link RolloutConflictError} instead of the error of a second rollout beside one that has not ended. */
export async function notBesideAnother<T>(database: DatabaseAddress, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    // unique_violation
    if (!isDatabaseError(error, "23505")) throw error;
    const id = await withConnection(database, openRollout);
    const other = id === undefined ? "another rollout" : `rollout ${id}`;
    throw new RolloutConflictError(`${other} has not ended: resume it, or cancel it`, {
      cause: error,
    });
  }
}
