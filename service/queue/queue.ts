import { EventEmitter } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import {
  Logger as QueueLogger,
  run,
  runMigrations,
  type Runner,
  type WorkerEvents,
} from "graphile-worker";
import { Pool } from "pg";
import type { Logger } from "pino";
import { z } from "zod";
import {
  connectionSettings,
  DEFAULT_URL_VARIABLE,
  pgConfig,
} from "../../provider/database/settings";
import { TASK } from "../operations/rows";

/** After how many ms a queue that stopped by itself, for want of a database, is started again. */
const PAUSE = 500;

/** How long the queue may take to write down that its last job has ended, in ms. */
const PATIENCE = 5_000;

const payload = z.object({ operationId: z.uuid() });

/** The queue of operations, as one instance works on it. */
export interface Queue {
  /**
   * Takes no more jobs and resolves when those that run have ended. A job whose end cannot be written
   * begins again elsewhere, where it finds that it has ended.
   */
  readonly stop: () => Promise<void>;
}

/** What the queue is started with. */
export interface QueueParts {
  /** Jobs at once. */
  readonly concurrency: number;
  readonly work: (operationId: string) => Promise<void>;
  /** Told who works now: the name that the queue locks jobs by. */
  readonly onWorker: (worker: string) => void;
  readonly log: Logger;
}

/** Starts to work on the queue in the database of DATABASE_URL; makes its tables where they miss. */
export async function startQueue({ concurrency, work, onWorker, log }: QueueParts): Promise<Queue> {
  const pgPool = new Pool({
    ...pgConfig(connectionSettings(DEFAULT_URL_VARIABLE)),
    max: concurrency + 2,
  });
  pgPool.on("error", () => undefined);
  pgPool.on("connect", (client) => client.on("error", () => undefined));
  const running = new Set<Promise<void>>();
  const track = (job: Promise<void>): Promise<void> => {
    running.add(job);
    const settled = () => void running.delete(job);
    job.then(settled, settled);
    return job;
  };
  const logger = new QueueLogger(() => (level, message) => {
    log.debug({ queue: level }, message);
  });
  const start = async (): Promise<Runner> => {
    const events: WorkerEvents = new EventEmitter();
    events.on("pool:create", ({ workerPool }) => onWorker(workerPool.id));
    return run({
      pgPool,
      logger,
      events,
      concurrency,
      noHandleSignals: true,
      parsedCronItems: [],
      // NOTIFY wakes a worker. The look at the clock is for jobs whose time comes, and for a lost wake.
      pollInterval: 1_000,
      // With a delay, even of none, the queue writes a job's end again and again while the database is
      // down. Without one it gives up at once, with a rejection that nobody catches.
      preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
      taskList: { [TASK]: (data) => track(work(payload.parse(data).operationId)) },
    });
  };
  await runMigrations({ pgPool, logger });
  const stopping = new AbortController();
  let runner = await start();
  const kept = keepRunning();

  async function keepRunning(): Promise<void> {
    for (;;) {
      await runner.promise.catch(() => undefined);
      if (stopping.signal.aborted) return;
      log.warn("the queue stopped by itself, and is started again");
      const next = await startAgain();
      if (next === undefined) return;
      runner = next;
    }
  }

  async function startAgain(): Promise<Runner | undefined> {
    for (;;) {
      await delay(PAUSE, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return undefined;
      const next = await start().catch(() => undefined);
      if (next !== undefined) return next;
    }
  }

  async function stopRunner(): Promise<void> {
    await runner.stop().catch(() => undefined);
    await kept;
    // One that was being started just then.
    await runner.stop().catch(() => undefined);
    await pgPool.end();
  }

  /** A runner whose database went away meanwhile may never say that it has stopped. */
  async function lastJobEnded(): Promise<void> {
    while (running.size > 0) await Promise.allSettled(running);
    await delay(PATIENCE, undefined, { ref: false });
  }

  return {
    async stop() {
      stopping.abort();
      await Promise.race([stopRunner(), lastJobEnded()]);
    },
  };
}
