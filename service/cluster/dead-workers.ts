import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { transaction } from "../operations/store";
import { endOrphans } from "../system/processes";
import { mendJobs, queueLost } from "./lost-operations";

/** How often dead workers are looked for, in ms. One whose lock is free on two looks is dead. */
export const BETWEEN_LOOKS = 1_500;

/** The SQL of the key of the lock that shows a worker, or an instance, alive. */
export const lockOf = (name: string) => `hashtextextended('pulumi-tenant ' || ${name}, 0)`;

/** The statement that takes, on the connection an instance keeps, the lock that shows it alive. */
export const tryWorkerLock = `select pg_try_advisory_lock(${lockOf("$1")}) as had`;

/** The statement that gives it back. */
export const dropWorkerLock = `select pg_advisory_unlock(${lockOf("$1")})`;

/**
 * Looks for jobs whose worker is dead, and gives them back to the queue at once, after what the dead
 * one left running on this machine has been ended. The queue by itself would wait four hours. Looks for
 * operations without a job too.
 *
 * A worker lives as long as the session that holds its lock. A session that is lost is made again
 * within less than {@link BETWEEN_LOOKS}, so one free lock alone proves nothing.
 */
export async function watchForDeadWorkers(log: Logger, signal: AbortSignal): Promise<void> {
  let suspects = new Set<string>();
  while (!signal.aborted) {
    try {
      const free = await transaction((run) => findDead(run, suspects, log));
      const lost = await transaction((run) => queueLost(run, suspects, log));
      await transaction(mendJobs);
      suspects = new Set([...free, ...lost]);
    } catch (error) {
      log.debug({ err: error }, "dead workers and lost operations could not be looked for");
    }
    await delay(BETWEEN_LOOKS, undefined, { signal }).catch(() => undefined);
  }
}

type Run = Parameters<Parameters<typeof transaction>[0]>[0];

/** @returns the workers whose locks are free. Those who were suspects already are dealt with. */
async function findDead(run: Run, suspects: Set<string>, log: Logger): Promise<string[]> {
  const rows = await run<{ worker: string }>(
    `select worker from (
      select distinct locked_by as worker from graphile_worker.jobs where locked_by is not null
    ) as w
    where pg_try_advisory_xact_lock(${lockOf("worker")})`,
  );
  const free = rows.map(({ worker }) => worker);
  const dead = free.filter((worker) => suspects.has(worker));
  if (dead.length > 0) {
    const orphans = endOrphans();
    await run("select graphile_worker.force_unlock_workers($1)", [dead]);
    log.warn({ workers: dead, orphans }, "a worker died: its set-ups begin again");
  }
  return free;
}
