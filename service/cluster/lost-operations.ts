import type { Logger } from "pino";
import { tenantLock } from "../../provider/database/tenant-lock";
import type { Query } from "../database/database";
import { enqueue, RUN_OPERATION } from "./jobs";
import type { Suspects } from "./two-looks";

/** How long a job waits at most for its next try after its end could not be written. An interval of SQL. */
const LONGEST_WAIT = "interval '10 seconds'";

/** Operations that wait or run and have no job, so that no worker would ever take them. */
const lost = `select id, tenant_id as "tenantId" from public.operations
  where status in ('queued', 'running')
    and not exists (select from graphile_worker.jobs where key = operations.id::text)`;

/**
 * Queues operations again that have lost their job. That happens when an instance is paused, another one
 * takes its job over, and the first one deletes the job when it goes on; or when a person deletes it. To
 * be called in a transaction.
 *
 * @param suspects The ids that the last look returned. Only an operation that was lost then too is queued.
 * @returns the ids of the operations that are lost now.
 */
export async function queueLost(query: Query, suspects: Suspects, log: Logger): Promise<string[]> {
  const ids: string[] = [];
  for (const { id, tenantId } of await query<{ id: string; tenantId: string }>(lost)) {
    // The tenant's lock is not free while an instance still works on the operation, job or no job. Held until
    // this transaction ends, it also keeps other instances from queueing the same operation.
    if (!(await locked(query, tenantId))) continue;
    ids.push(id);
    if (suspects.confirmed([id]).length === 0) continue;
    // Another instance may have queued it between the read above and the lock.
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
 * Repairs two things that graphile-worker leaves behind. First: an operation that is retried gets a new job,
 * and the old one loses its key; if the instance dies before it has ended the old job, that one stays, and is
 * removed here. Second: a job whose end could not be written waits exp(attempts) seconds, up to six hours,
 * and kills count as attempts; here its wait is cut to {@link LONGEST_WAIT}.
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
