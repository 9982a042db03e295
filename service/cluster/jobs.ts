import type { Query } from "../database/database";

/** The job that runs an operation. */
export const RUN_OPERATION = "run_operation";

/**
 * Puts an operation's job into the queue; where it has one already, that is given the new time.
 *
 * @param delayMs How long it is left alone first.
 */
export async function enqueue(query: Query, operationId: string, delayMs = 0): Promise<void> {
  // A kill costs an attempt of the job. How often a failure is tried again is the operation's own count.
  await query(
    `select graphile_worker.add_job($1, payload := json_build_object('operationId', $2::text),
      run_at := now() + $3 * interval '1 ms', job_key := $2::text, max_attempts := 1000)`,
    [RUN_OPERATION, operationId, delayMs],
  );
}
