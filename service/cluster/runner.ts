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

/** How long a start may take, in ms. */
const START_MS = 10_000;

/** How long a runner that goes down may take to write that its last job has ended, in ms. */
const LAST_WRITES_MS = 3_000;

const payload = z.object({ operationId: z.uuid() });

/** What takes jobs from the queue and runs them, until it goes down for good. */
export interface Runner {
  /** The name that it locks jobs by. */
  readonly worker: string;
  /** Resolves with why it takes no more jobs. */
  readonly down: Promise<string>;
  /** Whether it could run one more job. */
  readonly hasRoom: () => boolean;
  /**
   * Lets it take no more jobs, and resolves when those that it has have ended, whether or not the
   * library ever says that it has ended.
   */
  readonly retire: () => Promise<void>;
}

/** What one of all instances does when its time comes: a name → when, as cron has it in UTC, and what. */
export type Scheduled = Readonly<Record<string, { cron: string; work: () => Promise<void> }>>;

/** What a runner is started with. */
export interface RunnerParts {
  readonly pool: QueuePool;
  /** Jobs at once. */
  readonly concurrency: number;
  readonly work: (operationId: string) => Promise<void>;
  readonly scheduled: Scheduled;
  /** Told its name before it takes a job. */
  readonly began: (worker: string) => void;
  /** Told each time that the queue has answered it. */
  readonly beat: () => void;
  readonly log: Logger;
}

/**
 * Starts one. A start that takes too long destroys the pool.
 *
 * The library's word on its end cannot be relied on. When two ends of jobs cannot be written at once,
 * its `batch()` gives back one time too often what it took once, its count of pending writes falls
 * below zero, and its `release()` waits for zero. So in 0.17.3 and 0.18.0:
 * https://github.com/graphile/worker/issues/636
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

  /** What could not be written is found locked by a worker that is no more, and begins again. */
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

/** @throws errors of pg as they are, and when it takes longer than {@link START_MS}. */
async function startLibrary(
  options: Parameters<typeof run>[0] & { pgPool: Pool },
  destroy: () => void,
): Promise<LibraryRunner> {
  const limit = setTimeout(destroy, START_MS);
  try {
    return await run({
      ...options,
      noHandleSignals: true,
      // NOTIFY wakes a worker. The look at the clock is for jobs whose time comes, and for a lost wake.
      pollInterval: 1_000,
      // With a delay, even of none, an end that cannot be written puts the runner down. Without one it is
      // a rejection that nobody catches, which ends the process.
      preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
    });
  } finally {
    clearTimeout(limit);
  }
}

/** What the library says, for those who look for a fault in it. */
export function loggerTo(log: Logger): QueueLogger {
  return new QueueLogger(() => (level, message) => {
    log.debug({ queue: level }, message);
  });
}
