import { enqueue } from "../../cluster/jobs";
import type { Database, Query } from "../../database/database";
import { TakenOverError } from "../../system/errors";
import { asWanted } from "../../tenants/wanted";
import type { Accepted, Failure, Operation, Step } from "./operation";

/**
 * The columns of an {@link Operation}. The version is an integer here: pg gives a bigint as text, because a
 * number of JavaScript cannot hold all of them.
 */
export const columns = `id, kind, tenant_id as "tenantId", slug, request, previous, subject, status, steps,
  attempts, retries, failure, version::int, created_at as "createdAt", started_at as "startedAt",
  applied_at as "appliedAt", finished_at as "finishedAt"`;

/** The operation with this id. */
export async function findOperation(query: Query, id: string): Promise<Operation | undefined> {
  const [row] = await query<Operation>(`select ${columns} from public.operations where id = $1`, [
    id,
  ]);
  return row;
}

/**
 * Makes transactions that accept an operation commit one after the other: the second to call this waits
 * until the first has ended. Without it, each would count the rows without those that the others have not
 * committed yet, and together they could exceed QUEUE_LIMIT by any number.
 */
export async function keepOthersWaiting(query: Query): Promise<void> {
  await query("select pg_advisory_xact_lock(hashtextextended('pulumi-tenant accept', 0))");
}

/** The ids of the operations that have changed since. @param versions Operation's id → the version that is known. */
export async function changedSince(
  query: Query,
  versions: ReadonlyMap<string, number>,
): Promise<string[]> {
  const rows = await query<{ id: string }>(
    `select id from public.operations
    join unnest($1::uuid[], $2::bigint[]) as known (id, version) using (id)
    where operations.version > known.version`,
    [[...versions.keys()], [...versions.values()]],
  );
  return rows.map(({ id }) => id);
}

/** How many operations wait or run. */
export async function countAlive(query: Query): Promise<number> {
  const [row] = await query<{ alive: number }>(
    `select count(*)::int as alive from public.operations where status in ('queued', 'running')`,
  );
  return row?.alive ?? 0;
}

/**
 * The operation of a tenant whose caller has no answer yet: there is at most one. One that is applied, and
 * whose state the engine still saves, does not count: the next one waits for the tenant's lock.
 */
export async function aliveOperation(
  query: Query,
  tenantId: string,
): Promise<Pick<Operation, "id" | "kind"> | undefined> {
  const [row] = await query<Pick<Operation, "id" | "kind">>(
    `select id, kind from public.operations
    where tenant_id = $1 and status in ('queued', 'running') and applied_at is null`,
    [tenantId],
  );
  return row;
}

/** Makes the row of a new operation; undefined where another one of the tenant waits or runs. */
export async function insertOperation(
  query: Query,
  operation: Accepted & Pick<Operation, "id" | "kind" | "subject" | "steps">,
): Promise<Operation | undefined> {
  const { id, kind, tenantId, slug, request, previous, subject, steps } = operation;
  const [row] = await query<Operation>(
    `insert into public.operations (id, kind, tenant_id, slug, request, previous, subject, steps)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (tenant_id) where status in ('queued', 'running') and applied_at is null do nothing
    returning ${columns}`,
    [
      ...[id, kind, tenantId, slug, JSON.stringify(request)],
      ...[previous === undefined ? null : JSON.stringify(previous), subject],
      JSON.stringify(steps),
    ],
  );
  return row;
}

/** Starts an operation, or starts it again with all its steps pending; undefined where it has ended. */
export async function begin(query: Query, id: string): Promise<Operation | undefined> {
  const [row] = await query<Operation>(
    `update public.operations set status = 'running', attempts = attempts + 1,
      started_at = coalesce(started_at, now()),
      steps = (
        select jsonb_agg(jsonb_build_object('name', s -> 'name', 'status', 'pending') order by place)
        from jsonb_array_elements(steps) with ordinality as all_steps (s, place)
      )
    where id = $1 and status in ('queued', 'running') returning ${columns}`,
    [id],
  );
  return row;
}

// Each start has its own number in `attempts`. A worker that was paused while another one started the
// operation again has an older number, and so can write nothing any more.
const ownStart = "id = $1 and attempts = $2 and status = 'running'";

/**
 * Writes how far the steps of this start are. After the last one, and if the tenant is as it is wanted, it
 * also sets `applied_at`, at which its caller is answered; but for a release, which is answered at its end, when
 * the service has forgotten the tenant: it may be adopted at once. Does nothing where another start has begun.
 */
export async function saveSteps(
  query: Query,
  { id, attempts }: Operation,
  steps: readonly Step[],
): Promise<void> {
  const done = steps.at(-1)?.status === "succeeded";
  await query(
    `update public.operations as o set steps = $3,
      applied_at = coalesce(applied_at, case
        when $4 and o.kind <> 'release' and ${asWanted("o.tenant_id")} then now() end)
    where ${ownStart}`,
    [id, attempts, JSON.stringify(steps), done],
  );
}

/** Ends the operation as succeeded. @throws {@link TakenOverError} */
export async function succeed(query: Query, { id, attempts }: Operation): Promise<void> {
  const rows = await query(
    `update public.operations set status = 'succeeded', finished_at = now(),
      applied_at = coalesce(applied_at, now()),
      steps = (select jsonb_agg(s || '{"status": "succeeded"}') from jsonb_array_elements(steps) s)
    where ${ownStart} returning id`,
    [id, attempts],
  );
  if (rows.length === 0) throw new TakenOverError();
}

/** Ends the operation, and the steps that were running, as failed. @throws {@link TakenOverError} */
export async function fail(
  query: Query,
  { id, attempts }: Operation,
  failure: Failure,
): Promise<void> {
  const rows = await query(
    `update public.operations set status = 'failed', failure = $3, finished_at = now(),
      steps = (
        select jsonb_agg(
          case when s ->> 'status' in ('running', 'failed')
            then s || jsonb_build_object('status', 'failed', 'error', $4::text) else s end
        )
        from jsonb_array_elements(steps) s
      )
    where ${ownStart} returning id`,
    [id, attempts, JSON.stringify(failure), failure.message],
  );
  if (rows.length === 0) throw new TakenOverError();
}

/** Puts the operation back into the queue, to be retried after `delayMs`. @throws {@link TakenOverError} */
export async function tryAgain(
  database: Database,
  { id, attempts }: Operation,
  delayMs: number,
): Promise<void> {
  await database.transaction(async (query) => {
    const rows = await query(
      `update public.operations set status = 'queued', retries = retries + 1 where ${ownStart}
      returning id`,
      [id, attempts],
    );
    if (rows.length === 0) throw new TakenOverError();
    await enqueue(query, id, delayMs);
  });
}

/**
 * Deletes the operations that ended before the retention time. The idempotency keys that refer to them are
 * deleted with them, by their foreign key.
 *
 * @param retentionDays How many days an operation is kept after its end.
 * @returns how many operations were deleted.
 */
export async function deleteOld(query: Query, retentionDays: number): Promise<number> {
  const rows = await query(
    `delete from public.operations where finished_at < now() - $1 * interval '1 day' returning id`,
    [retentionDays],
  );
  return rows.length;
}
