import { setTimeout as delay } from "node:timers/promises";
import { runMigrations } from "graphile-worker";
import type { Logger } from "pino";
import type { ConnectionSettings } from "../../provider/database/settings";
import type { Database } from "../database/database";
import { JobsAtWork } from "./jobs-at-work";
import { openQueuePool, type QueuePool } from "./queue-pool";
import { loggerTo, startRunner, type Runner, type Scheduled } from "./runner";

/** After how many ms a runner that went down, or did not start, is followed by another. */
const RESTART_PAUSE_MS = 500;

/** How long a runner with room for a job may be without an answer from the queue, in s. */
const SILENCE_S = 10;

const SILENT = `no answer from the queue in ${SILENCE_S} s`;

/** How long PostgreSQL may take for one statement, in ms: a lock of the tables may be in its way. */
const STATEMENT_MS = 8_000;

/** The queue of operations, as one instance works on it. */
export interface Queue {
  /** What keeps it from taking jobs, for the operator; undefined while nothing does. */
  readonly trouble: () => string | undefined;
  /**
   * Takes no more jobs and resolves when those that run have ended. A job whose end cannot be written
   * begins again elsewhere, where it finds that it has ended.
   */
  readonly stop: () => Promise<void>;
}

/** What the queue is started with. */
export interface QueueParts {
  readonly database: Database;
  /** Jobs at once. */
  readonly concurrency: number;
  readonly work: (operationId: string) => Promise<void>;
  /** What one of all instances does when its time comes: a name → when, as cron has it in UTC, and what. */
  readonly scheduled?: Scheduled;
  /** Told who works from now on: a name that the queue locks jobs by. */
  readonly onWorker: (worker: string) => void;
  /** Told who works no more: what it has locked is for others to take. */
  readonly onWorkerGone: (worker: string) => void;
  readonly log: Logger;
}

/**
 * Starts to work on the queue; makes its tables where they miss.
 *
 * A runner that takes no more jobs, by its own word or by its silence, is followed by another at once.
 * What it still runs is brought to its end beside that one.
 */
export async function startQueue(parts: QueueParts): Promise<Queue> {
  const { concurrency, scheduled = {}, onWorker, onWorkerGone, log } = parts;
  const { settings } = parts.database;
  await makeTables(settings, log);
  const atWork = new JobsAtWork(concurrency);
  const retiring = new Set<Promise<void>>();
  const stopping = new AbortController();
  const stopped = new Promise<undefined>((resolve) => {
    stopping.signal.addEventListener("abort", () => resolve(undefined));
  });
  let fellSilent: (why: typeof SILENT) => void = () => undefined;
  // In s, of all runners and of the present one. Counted, not read from a clock: a process that was
  // paused meanwhile was not silent for so long.
  const silent = { queue: 0, runner: 0 };
  const beat = () => void Object.assign(silent, { queue: 0, runner: 0 });
  const open = () => openQueuePool(settings, concurrency + 2, STATEMENT_MS);
  // One for all runners: a server that has none to spare would give no connection to the next.
  let pool = open();
  const start = () => {
    if (pool.isDestroyed()) pool = open();
    return startRunner({
      ...{ pool, concurrency, scheduled, log, beat, began: onWorker },
      work: (id) => atWork.inTurn(id, () => parts.work(id)),
    });
  };

  let runner: Runner | undefined = await start().catch((error: unknown) => {
    pool.destroy();
    throw error;
  });
  const kept = keepRunning(runner);
  const clock = setInterval(() => {
    if (runner?.hasRoom() === false) {
      beat();
      return;
    }
    silent.queue += 1;
    silent.runner += 1;
    if (silent.runner >= SILENCE_S) fellSilent(SILENT);
  }, 1_000);

  async function keepRunning(first: Runner): Promise<void> {
    for (let current: Runner | undefined = first; current !== undefined;) {
      const silence = new Promise<string>((resolve) => (fellSilent = resolve));
      const why = await Promise.race([current.down, silence, stopped]);
      runner = undefined;
      // What a silent one has is not relied on, nor may it get a job by it later.
      if (why === SILENT) retire(current, pool);
      else retire(current);
      if (why === SILENT) pool = open();
      if (why !== undefined)
        log.warn({ why }, "the queue's runner went down, and another is started");
      current = await startAgain();
      silent.runner = 0;
      runner = current;
    }
  }

  function retire(old: Runner, itsPool?: QueuePool): void {
    const gone = old.retire().then(() => {
      itsPool?.destroy();
      onWorkerGone(old.worker);
      retiring.delete(gone);
    });
    retiring.add(gone);
  }

  async function startAgain(): Promise<Runner | undefined> {
    for (;;) {
      await delay(RESTART_PAUSE_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return undefined;
      const next = await start().catch(() => undefined);
      if (next !== undefined) return next;
    }
  }

  return {
    trouble: () =>
      silent.queue < SILENCE_S
        ? undefined
        : `it has not answered for ${silent.queue} s, and there is room for a job`,
    async stop() {
      stopping.abort();
      await kept;
      await Promise.all(retiring);
      pool.destroy();
      clearInterval(clock);
    },
  };
}

/** Without a limit of time for a statement: the tables may be large, and be changed. */
async function makeTables(settings: ConnectionSettings, log: Logger): Promise<void> {
  const { pool, destroy } = openQueuePool(settings, 1);
  try {
    await runMigrations({ pgPool: pool, logger: loggerTo(log) });
  } finally {
    destroy();
  }
}
