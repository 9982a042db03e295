import { EventEmitter } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import {
  Logger as QueueLogger,
  parseCronItems,
  run,
  type Runner as LibraryRunner,
  type WorkerEvents,
} from "graphile-worker";
import type { Pool } from "pg";
import type { Logger } from "pino";
import { z } from "zod";
import { RUN_OPERATION } from "./jobs";
import type { QueuePool } from "./queue-pool";

/** How long a runner may take to start. */
const START_MS = 10_000;

/** How long a runner that goes down may take to write the end of its last job. */
const LAST_WRITES_MS = 3_000;

const payload = z.object({ operationId: z.uuid() });

/** A runner of graphile-worker: takes jobs from the queue and runs them until it goes down, for good. */
export interface Runner {
  /** The name under which it locks jobs. */
  readonly worker: string;
  /** Resolves with why it takes no more jobs. */
  readonly down: Promise<string>;
  /** Whether it could run one more job. */
  readonly hasRoom: () => boolean;
  /**
   * Has it take no more jobs, and resolves when those that it runs have ended, also where the library never
   * reports that the runner has ended.
   */
  readonly retire: () => Promise<void>;
}

/** Work on a schedule: the task's name → a cron pattern, in UTC, and the work. One instance does it each time. */
export type Scheduled = Readonly<Record<string, { cron: string; work: () => Promise<void> }>>;

/** What a runner needs. */
export interface RunnerParts {
  readonly pool: QueuePool;
  /** How many jobs may run at once. */
  readonly concurrency: number;
  readonly work: (operationId: string) => Promise<void>;
  readonly scheduled: Scheduled;
  /** Called with the runner's name before it takes a job. */
  readonly began: (worker: string) => void;
  /** Called each time the queue has answered. */
  readonly beat: () => void;
  readonly log: Logger;
}

/**
 * Starts a runner. A start that takes longer than {@link START_MS} destroys the pool and fails.
 *
 * The library does not always report that it has ended. When the ends of two jobs cannot be written at
 * once, its `batch()` decrements the count of pending writes once too often, the count falls below zero,
 * and its `release()` waits for zero for ever. So in 0.17.3 and 0.18.0:
 * https://github.com/graphile/worker/issues/636
 *
 * @throws errors of pg as they are.
 */
export async function startRunner(parts: RunnerParts): Promise<Runner> {
  const { concurrency, work, scheduled, log } = parts;
  const { pool, destroy } = parts.pool;
  const jobs = new Set<Promise<void>>();
  const track = (job: Promise<void>): Promise<void> => {
    jobs.add(job);
    const settled = () => void jobs.delete(job);
    job.then(settled, settled);
    return job;
  };
  const events: WorkerEvents = new EventEmitter();
  const down = new Promise<string>((resolve) => {
    events.on("pool:gracefulShutdown", ({ message }) => resolve(message));
  });
  const named = new Promise<string>((resolve) => {
    events.on("pool:create", ({ workerPool }) => {
      parts.began(workerPool.id);
      resolve(workerPool.id);
    });
  });
  for (const answer of ["worker:getJob:empty", "job:start", "job:complete"] as const) {
    events.on(answer, parts.beat);
  }
  const runner = await startLibrary(
    {
      ...{ pgPool: pool, events, concurrency, logger: loggerTo(log) },
      parsedCronItems: parseCronItems(
        Object.entries(scheduled).map(([task, { cron: match }]) => ({ task, match })),
      ),
      taskList: {
        [RUN_OPERATION]: (data) => track(work(payload.parse(data).operationId)),
        ...Object.fromEntries(
          Object.entries(scheduled).map(([task, entry]) => [task, () => track(entry.work())]),
        ),
      },
    },
    destroy,
  );
  const ended = runner.promise.catch(() => undefined);

  /** An end that is not written in time leaves its job locked; dead-workers.ts gives that back to the queue. */
  async function lastJobEnded(): Promise<void> {
    while (jobs.size > 0) await Promise.allSettled(jobs);
    await delay(LAST_WRITES_MS, undefined, { ref: false });
  }

  return {
    worker: await named,
    down: Promise.race([down, ended.then(() => "it has ended")]),
    hasRoom: () => jobs.size < concurrency,
    async retire() {
      runner.stop().catch(() => undefined);
      await Promise.race([ended, lastJobEnded()]);
    },
  };
}

/** @throws errors of pg as they are, also when it takes longer than {@link START_MS}. */
async function startLibrary(
  options: Parameters<typeof run>[0] & { pgPool: Pool },
  destroy: () => void,
): Promise<LibraryRunner> {
  const limit = setTimeout(destroy, START_MS);
  try {
    return await run({
      ...options,
      noHandleSignals: true,
      // Workers are woken by NOTIFY. They also poll, for jobs whose time has come and for lost notifications.
      pollInterval: 1_000,
      // With a delay, even of 0, an end of a job that cannot be written makes the runner go down. Without one it
      // is a rejection that nobody catches, which ends the process.
      preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
    });
  } finally {
    clearTimeout(limit);
  }
}

/** A logger for the library that writes all of its lines to the log as `debug`. */
export function loggerTo(log: Logger): QueueLogger {
  return new QueueLogger(() => (level, message) => {
    log.debug({ queue: level }, message);
  });
}
