import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Database, Query } from "../database/database";
import { endOrphans } from "../system/processes";
import { lockOf } from "./liveness";
import { mendJobs, queueLost } from "./lost-operations";
import { BETWEEN_LOOKS_MS, Suspects } from "./two-looks";

/**
 * Looks, until the signal aborts, for jobs that a dead worker has locked, and gives them back to the queue.
 * The queue by itself would do so only after four hours. Before that it ends the processes that the dead
 * worker left running on this machine. It also queues operations that have lost their job.
 *
 * A worker counts as alive while a session of the database holds its lock. A lock that is free once proves
 * nothing, because a living worker whose session was lost takes it again; see two-looks.ts.
 */
export async function watchForDeadWorkers(
  database: Database,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const suspects = new Suspects();
  while (!signal.aborted) {
    try {
      const free = await database.transaction((query) => findDead(query, suspects, log));
      const lost = await database.transaction((query) => queueLost(query, suspects, log));
      await database.transaction(mendJobs);
      suspects.note([...free, ...lost]);
    } catch (error) {
      log.debug({ err: error }, "dead workers and lost operations could not be looked for");
    }
    await delay(BETWEEN_LOOKS_MS, undefined, { signal }).catch(() => undefined);
  }
}

/**
 * Gives back the jobs of workers whose lock was free at the last look too.
 *
 * @returns the workers whose locks are free now.
 */
async function findDead(query: Query, suspects: Suspects, log: Logger): Promise<string[]> {
  const rows = await query<{ worker: string }>(
    `select worker from (
      select distinct locked_by as worker from graphile_worker.jobs where locked_by is not null
    ) as w
    where pg_try_advisory_xact_lock(${lockOf("worker")})`,
  );
  const free = rows.map(({ worker }) => worker);
  const dead = suspects.confirmed(free);
  if (dead.length > 0) {
    const orphans = endOrphans();
    await query("select graphile_worker.force_unlock_workers($1)", [dead]);
    log.warn({ workers: dead, orphans }, "a worker died: its operations begin again");
  }
  return free;
}
