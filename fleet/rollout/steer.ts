import { isDeepStrictEqual } from "node:util";
import type { MigrationDigests } from "../../provider/database/migrations";
import { inTransaction, withConnection } from "../../provider/database/pool";
import type { DatabaseAddress } from "../../provider/database/settings";
import { RolloutConflictError } from "../errors";
import { assertNoneEdited, lacksAny } from "../lacking";
import { notBesideAnother } from "./begin";
import { readRollout } from "./read";

/**
 * Lets a rollout go on that was paused, has failed or has lost its runners. Tenants that have failed are tried again,
 * with the files as they are by now: one that was mended is applied nowhere yet.
 *
 * @param isServed Whether the instances of the service are to run it from now on.
 * @throws {@link RolloutConflictError} where it has ended well or was cancelled, or others run it with other files;
 * {@link RolloutUnknownError}; {@link MigrationFailedError} where a file was edited that is applied.
 */
export async function resumeRollout(
  database: DatabaseAddress,
  id: string,
  files: MigrationDigests,
  { isServed = false }: { readonly isServed?: boolean } = {},
): Promise<void> {
  await notBesideAnother(
    database,
    inTransaction(database, async (client) => {
      await client.query("select from public.rollouts where id::text = $1 for update", [id]);
      const rollout = await readRollout(client, id);
      const { status, options } = rollout;
      if (status === "succeeded" || status === "cancelled") {
        throw new RolloutConflictError(`rollout ${id} has ended: it is ${status}`);
      }
      await assertNoneEdited(client, options, files);
      await client.query("update public.rollouts set is_served = is_served or $2 where id = $1", [
        id,
        isServed,
      ]);
      if (status === "running") {
        if (isDeepStrictEqual(files, rollout.files)) return;
        throw new RolloutConflictError(
          `rollout ${id} is running with other files than those of this folder: pause it first`,
        );
      }
      await client.query(
        `update public.rollouts set status = 'running', files = $2, reason = null, finished_at = null
        where id = $1`,
        [id, files],
      );
      await client.query(
        `update public.rollout_tenants
        set status = 'pending', finished_at = null, failure = null, lock_tries = 0, not_before = now()
        where rollout_id = $1
          and (status = 'failed' or status = 'done' and ${lacksAny("'tenant_' || tenant_id", "$2::text[]")})`,
        [id, Object.keys(files)],
      );
    }),
  );
}

/**
 * Pauses or cancels a rollout that has not ended: whoever runs it ends what is at work, and takes no other tenant.
 *
 * @throws {@link RolloutUnknownError}; {@link RolloutConflictError} where it has ended.
 */
export async function stopRollout(
  database: DatabaseAddress,
  id: string,
  status: "paused" | "cancelled",
): Promise<void> {
  await withConnection(database, async (client) => {
    const rollout = await readRollout(client, id);
    const { rowCount } = await client.query(
      `update public.rollouts
      set status = $2, finished_at = case when $2 = 'cancelled' then clock_timestamp() end
      where id::text = $1 and status in ('running', 'paused')`,
      [id, status],
    );
    if (rowCount !== 0) return;
    throw new RolloutConflictError(`rollout ${id} has ended: it is ${rollout.status}`);
  });
}
