import type { Query } from "../database/database";

/** The name of the queue's task that runs an operation. */
export const RUN_OPERATION = "run_operation";

/**
 * Puts an operation's job into the queue. An operation that has a job already keeps it, and the job runs at
 * the new time.
 *
 * @param delayMs How long the job waits before it may run.
 * @throws DatabaseDownError
 */
export async function enqueue(query: Query, operationId: string, delayMs = 0): Promise<void> {
  // max_attempts is high because every kill of the service uses up one attempt. How often a failure is
  // retried is counted in the operation's own row.
  await query(
    `select graphile_worker.add_job($1, payload := json_build_object('operationId', $2::text),
      run_at := now() + $3 * interval '1 ms', job_key := $2::text, max_attempts := 1000)`,
    [RUN_OPERATION, operationId, delayMs],
  );
}
