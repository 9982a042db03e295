import { setTimeout as delay } from "node:timers/promises";
import { runMigrations } from "graphile-worker";
import type { Logger } from "pino";
import type { ConnectionSettings } from "../../provider/database/settings";
import type { Database } from "../database/database";
import { JobsAtWork } from "./jobs-at-work";
import { openQueuePool, type QueuePool } from "./queue-pool";
import { loggerTo, startRunner, type Runner, type Scheduled } from "./runner";

/** The pause before another runner is started in the place of one that went down or did not start. */
const RESTART_PAUSE_MS = 500;

/** How long the queue may give no answer to a runner that could take a job, in seconds. */
const SILENCE_S = 10;

const SILENT = `no answer from the queue in ${SILENCE_S} s`;

/** How long PostgreSQL may take for one statement, which may have to wait for a lock of the queue's tables. */
const STATEMENT_MS = 8_000;

/** The queue of operations, as one instance works on it. */
export interface Queue {
  /** Why it takes no jobs, in words for the operator; undefined while it does. */
  readonly trouble: () => string | undefined;
  /**
   * Takes no more jobs, and resolves when those that run have ended. A job whose end cannot be written is run
   * again by another instance, which finds that its operation has ended.
   */
  readonly stop: () => Promise<void>;
}

/** What the queue needs. */
export interface QueueParts {
  readonly database: Database;
  /** How many jobs may run at once. */
  readonly concurrency: number;
  readonly work: (operationId: string) => Promise<void>;
  /** Work on a schedule, which one of all instances does each time. */
  readonly scheduled?: Scheduled;
  /** Called with the name under which a runner locks jobs, before it takes any. */
  readonly onWorker: (worker: string) => void;
  /** Called when a runner works no more: the jobs that it has locked are for others to take. */
  readonly onWorkerGone: (worker: string) => void;
  readonly log: Logger;
}

/**
 * Makes the queue's tables where they are missing, and starts to take jobs.
 *
 * A runner that reports that it takes no more jobs, or that gets no answer from the queue, is replaced at
 * once. The jobs that it still runs go on to their end beside those of its successor.
 *
 * @throws errors of pg as they are.
 */
export async function startQueue(parts: QueueParts): Promise<Queue> {
  const { concurrency, scheduled = {}, onWorker, onWorkerGone, log } = parts;
  const { settings } = parts.database;
  await makeQueueTables(settings, log);
  const atWork = new JobsAtWork(concurrency);
  const retiring = new Set<Promise<void>>();
  const stopping = new AbortController();
  const stopped = new Promise<undefined>((resolve) => {
    stopping.signal.addEventListener("abort", () => resolve(undefined));
  });
  let fellSilent: (why: typeof SILENT) => void = () => undefined;
  // For how many seconds the queue has given no answer: to any runner, and to the present one. Counted by a
  // timer, not read from a clock: while the process was paused, nobody could have answered it.
  const silent = { queue: 0, runner: 0 };
  const beat = () => void Object.assign(silent, { queue: 0, runner: 0 });
  const open = () => openQueuePool(settings, concurrency + 2, STATEMENT_MS);
  // All runners share one pool: a server at its limit of connections would give none to a second pool.
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
      // The connections of a runner that got no answer may be dead, or may bring it a late job: its pool is closed
      // with it, and its successor gets a new one.
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

/**
 * Makes the queue's tables where they are missing. Statements have no time limit here: a migration of the queue may
 * change large tables.
 *
 * @throws errors of pg as they are.
 */
export async function makeQueueTables(settings: ConnectionSettings, log: Logger): Promise<void> {
  const { pool, destroy } = openQueuePool(settings, 1);
  try {
    await runMigrations({ pgPool: pool, logger: loggerTo(log) });
  } finally {
    destroy();
  }
}
