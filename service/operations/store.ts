import { DEFAULT_URL_VARIABLE } from "../../provider/database/settings";
import { inTransaction } from "../../provider/database/pool";
import { query, reach, rowsOf, type Query } from "../database/database";
import { TakenOverError } from "../system/errors";
import { stepNames, type Failure, type Operation, type Step } from "./operation";

/** The job that runs an operation. */
export const TASK = "set_up_tenant";

// The driver gives a bigint as text, to lose nothing.
const columns = `id, slug, request, password_hash as "passwordHash", subject, status, steps, attempts,
  retries, failure, tenant_id as "tenantId", version::int, created_at as "createdAt",
  started_at as "startedAt", finished_at as "finishedAt"`;

/** Runs `work` in one transaction on the database of DATABASE_URL. */
export function transaction<T>(work: (run: Query) => Promise<T>): Promise<T> {
  return reach(
    inTransaction(DEFAULT_URL_VARIABLE, (client) =>
      work((statement, values = []) => rowsOf(client, statement, values)),
    ),
  );
}

/** The operation with this id. */
export async function findOperation(id: string): Promise<Operation | undefined> {
  const [row] = await query<Operation>(`select ${columns} from public.operations where id = $1`, [
    id,
  ]);
  return row;
}

/**
 * Lets no other transaction that calls this go on before this one has ended: what is counted after it
 * is all that was accepted, and stays so up to the commit. By a count alone, of what others have not
 * committed yet, any number would be accepted at once.
 */
export async function keepOthersWaiting(run: Query): Promise<void> {
  await run("select pg_advisory_xact_lock(hashtextextended('pulumi-tenant accept', 0))");
}

/** Those of the operations that have changed since these versions. */
export async function changedSince(versions: ReadonlyMap<string, number>): Promise<string[]> {
  const rows = await query<{ id: string }>(
    `select id from public.operations
    join unnest($1::uuid[], $2::bigint[]) as known (id, version) using (id)
    where operations.version > known.version`,
    [[...versions.keys()], [...versions.values()]],
  );
  return rows.map(({ id }) => id);
}

/** How many operations wait or run. */
export async function countAlive(run: Query): Promise<number> {
  const [row] = await run<{ alive: number }>(
    `select count(*)::int as alive from public.operations where status in ('queued', 'running')`,
  );
  return row?.alive ?? 0;
}

/** Makes the row of a new operation; undefined where another one for the slug is alive. */
export async function insertOperation(
  run: Query,
  operation: Pick<Operation, "id" | "slug" | "request" | "passwordHash" | "subject">,
): Promise<Operation | undefined> {
  const { id, slug, request, passwordHash, subject } = operation;
  const [row] = await run<Operation>(
    `insert into public.operations (id, slug, request, password_hash, subject)
    values ($1, $2, $3, $4, $5)
    on conflict (slug) where status in ('queued', 'running') do nothing
    returning ${columns}`,
    [id, slug, JSON.stringify(request), passwordHash, subject],
  );
  return row;
}

/**
 * Puts the operation's job into the queue.
 *
 * @param delay In ms.
 */
export async function enqueue(run: Query, id: string, delay = 0): Promise<void> {
  // A kill costs an attempt of the job. How often a failure is tried again is the operation's own count.
  await run(
    `select graphile_worker.add_job($1, payload := json_build_object('operationId', $2::text),
      run_at := now() + $3 * interval '1 ms', job_key := $2::text, max_attempts := 1000)`,
    [TASK, id, delay],
  );
}

/** Starts an operation, or starts it again; undefined where it is settled. */
export async function begin(id: string): Promise<Operation | undefined> {
  const steps: Step[] = stepNames.map((name) => ({ name, status: "pending" }));
  const [row] = await query<Operation>(
    `update public.operations set status = 'running', attempts = attempts + 1, steps = $2,
      started_at = coalesce(started_at, now())
    where id = $1 and status in ('queued', 'running') returning ${columns}`,
    [id, JSON.stringify(steps)],
  );
  return row;
}

const mine = "id = $1 and attempts = $2 and status = 'running'";

/** Writes how far the steps of this start are, and after the last of them which tenant it made. */
export async function saveSteps(
  { id, attempts }: Operation,
  steps: readonly Step[],
): Promise<void> {
  const done = steps.at(-1)?.status === "succeeded";
  await query(
    `update public.operations as o set steps = $3, tenant_id = coalesce(o.tenant_id, (
        select t.id from public.tenants t where $4 and t.slug = o.slug and t.status = 'active'
      ))
    where ${mine}`,
    [id, attempts, JSON.stringify(steps), done],
  );
}

/** Ends the operation well. @throws {@link TakenOverError} */
export async function succeed({ id, attempts }: Operation, tenantId: string): Promise<void> {
  const rows = await query(
    `update public.operations set status = 'succeeded', tenant_id = $3, finished_at = now(),
      steps = (select jsonb_agg(s || '{"status": "succeeded"}') from jsonb_array_elements(steps) s)
    where ${mine} returning id`,
    [id, attempts, tenantId],
  );
  if (rows.length === 0) throw new TakenOverError();
}

/** Ends the operation as failed, with the steps that were running. @throws {@link TakenOverError} */
export async function fail({ id, attempts }: Operation, failure: Failure): Promise<void> {
  const rows = await query(
    `update public.operations set status = 'failed', failure = $3, finished_at = now(),
      steps = (
        select jsonb_agg(
          case when s ->> 'status' in ('running', 'failed')
            then s || jsonb_build_object('status', 'failed', 'error', $4::text) else s end
        )
        from jsonb_array_elements(steps) s
      )
    where ${mine} returning id`,
    [id, attempts, JSON.stringify(failure), failure.message],
  );
  if (rows.length === 0) throw new TakenOverError();
}

/** Puts the operation back into the queue, after a failure that may heal. @throws {@link TakenOverError} */
export async function tryAgain({ id, attempts }: Operation, delay: number): Promise<void> {
  await transaction(async (run) => {
    const rows = await run(
      `update public.operations set status = 'queued', retries = retries + 1 where ${mine}
      returning id`,
      [id, attempts],
    );
    if (rows.length === 0) throw new TakenOverError();
    await enqueue(run, id, delay);
  });
}
