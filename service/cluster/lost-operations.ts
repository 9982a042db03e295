import type { Logger } from "pino";
import { tenantLock, type Query } from "../database/database";
import { enqueue, RUN_OPERATION } from "./jobs";
import type { Suspects } from "./two-looks";

/** How long a job waits at most whose end could not be written. */
const LONGEST_WAIT = "interval '10 seconds'";

/** Operations that wait or run, and have no job that would bring them to their end. */
const lost = `select id, tenant_id as "tenantId" from public.operations
  where status in ('queued', 'running')
    and not exists (select from graphile_worker.jobs where key = operations.id::text)`;

/**
 * Looks for operations that nobody works on and nobody will: their job was deleted by an instance that
 * was paused while another took it over, or by a person. They are queued again. To be called in a
 * transaction.
 *
 * @param suspects What the last look has given. Only what was lost then too is queued.
 * @returns the ids of those that are lost.
 */
export async function queueLost(query: Query, suspects: Suspects, log: Logger): Promise<string[]> {
  const ids: string[] = [];
  for (const { id, tenantId } of await query<{ id: string; tenantId: string }>(lost)) {
    // Whoever still works on it without a job is not disturbed. Held until the transaction ends, so of
    // all instances that look, one queues it.
    if (!(await locked(query, tenantId))) continue;
    ids.push(id);
    if (suspects.confirmed([id]).length === 0) continue;
    // Another instance may have queued it since it was read.
    const [still] = await query(`${lost} and id = $1`, [id]);
    if (still === undefined) continue;
    await enqueue(query, id);
    log.warn(
      { operation: id, tenant: tenantId },
      "an operation had lost its job: it is queued again",
    );
  }
  return ids;
}

/**
 * Mends what the library leaves of jobs. An operation that is tried again has a new job; the old one,
 * which has lost its key, stays where its instance dies just then, and is removed. A job whose end could
 * not be written waits exp(attempts) seconds, up to six hours, and kills count as attempts: it waits no
 * longer than {@link LONGEST_WAIT}.
 */
export async function mendJobs(query: Query): Promise<void> {
  await query(
    `select from graphile_worker.complete_jobs(array(
      select id from graphile_worker.jobs
      where task_identifier = $1 and key is null and locked_by is null
    ))`,
    [RUN_OPERATION],
  );
  await query(
    `select from graphile_worker.reschedule_jobs(array(
      select id from graphile_worker.jobs
      where task_identifier = $1 and last_error is not null and locked_by is null
        and run_at > now() + ${LONGEST_WAIT}
    ), run_at := now() + ${LONGEST_WAIT}, attempts := 0)`,
    [RUN_OPERATION],
  );
}

async function locked(query: Query, tenantId: string): Promise<boolean> {
  const [row] = await query<{ free: boolean }>(
    "select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as free",
    [tenantLock(tenantId)],
  );
  return row?.free === true;
}
