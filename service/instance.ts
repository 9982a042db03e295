import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { reportDatabaseDown } from "./database/database";
import { deregister, newInstance, pruneInstances, register } from "./cluster/liveness";
import type { ServedOperations } from "./operations/operations";
import { watchForDeadWorkers } from "./cluster/dead-workers";
import { keepConnection, type KeptConnection } from "./cluster/kept-connection";
import type { DriftParts } from "./drift/drift";
import { lookIfDue } from "./drift/look";
import { startQueue, type Queue, type QueueParts } from "./cluster/queue";
import { endOrphans } from "./system/processes";
import { purgeDue } from "./operations/purge-due";
import { forgetOldKeys } from "./operations/idempotency";
import { runOperation, type OperationParts } from "./operations/run-operation";
import { followRollouts } from "./operations/follow-rollouts";
import { deleteOld } from "./operations/store/store";
import { deleteOldRollouts } from "./rollouts/read";
import { runRollouts } from "./rollouts/runner";

/** What one instance of the service needs to work on operations. */
export interface InstanceParts extends Omit<OperationParts, "log"> {
  /** Its id, a UUID. Default: a random one. */
  readonly id?: string;
  readonly operations: ServedOperations;
  /** How many days an operation, or a rollout, is kept after its end. */
  readonly retentionDays: number;
  /** Whether deleted tenants are purged by themselves, when their time has come. */
  readonly purges: boolean;
  /** What is wanted of all tenants alike. */
  readonly drift: Omit<DriftParts, "database" | "log">;
  /** How many seconds there are from one look at all tenants to the next; 0 for no looks. */
  readonly driftCheckS: number;
  /** How many tenants it migrates at once in a rollout. */
  readonly rolloutConcurrency: number;
  /** How many operations, and so engine runs, it works on at once. */
  readonly concurrency: number;
  readonly log: Logger;
}

/** An instance that works on operations. */
export interface Instance {
  /** Takes no more jobs, and resolves when those that run have ended. */
  readonly stop: () => Promise<void>;
  /** What is wrong with its database session (notifications, and the lock that shows it alive); undefined while nothing is. */
  readonly sessionTrouble: () => string | undefined;
  /** Why it takes no jobs from the queue; undefined while it does. */
  readonly queueTrouble: () => string | undefined;
  /** To be called when there may be a rollout to run. */
  readonly lookForRollouts: () => void;
}

/**
 * Starts to work on operations: listens to changes of them, and takes them from the queue, whichever instance
 * has accepted them.
 *
 * @throws DatabaseDownError
 */
export async function startInstance(parts: InstanceParts): Promise<Instance> {
  const { database, operations, log } = parts;
  const instance = newInstance(parts.id ?? randomUUID());
  const session = keepConnection(database.settings, {
    connected: async (client) => {
      await client.query(`listen ${operations.channel}`);
      // Notifications sent while no session listened are lost, so every waiting request reads its operation again.
      operations.notify();
    },
    locked: async (client, name) => {
      if (name === instance.id) await register(client, instance);
    },
    notified: (_channel, id) => {
      operations.notify(id);
    },
  });
  // Awaited before any stack is reserved: other instances take back the stacks of one whose lock is free.
  const alive = session.hold(instance.id);
  const stopping = new AbortController();
  let isStopping = false;
  let watching = Promise.resolve();
  let queue: Queue;
  try {
    endOrphans();
    await database.transaction(pruneInstances);
    watching = watchForDeadWorkers(database, log, stopping.signal);
    queue = await reportDatabaseDown(startQueue(queueParts(parts, session, () => isStopping)));
  } catch (error) {
    // If the session stayed open, its lock would let the other instances take this one for alive.
    stopping.abort();
    await watching;
    await session.close();
    throw error;
  }
  void alive.then(parts.runs.startAhead);
  const { migrationsDir } = parts.drift;
  const { rolloutConcurrency } = parts;
  const rollouts = runRollouts({ database, migrationsDir, rolloutConcurrency, log });
  const stopAll = async () => {
    isStopping = true;
    await Promise.all([queue.stop(), rollouts.stop()]);
    stopping.abort();
    await watching;
    operations.close();
    await deregister(database.query, instance);
    await session.close();
  };
  let stopped: Promise<void> | undefined;
  // Stops once, however often `stop` is called.
  return {
    stop: () => (stopped ??= stopAll()),
    sessionTrouble: session.trouble,
    queueTrouble: queue.trouble,
    lookForRollouts: rollouts.look,
  };
}

/** What the queue needs. The session holds a lock for each of its workers, which shows it alive. */
function queueParts(
  parts: InstanceParts,
  session: KeptConnection,
  isStopping: () => boolean,
): QueueParts {
  const { database, concurrency, runs, log } = parts;
  return {
    ...{ database, concurrency, log },
    work: (id) => runOperation(id, parts),
    scheduled: {
      // Hourly, but not on the hour, when many other schedules begin.
      delete_history: { cron: "23 * * * *", work: () => deleteHistory(parts) },
      // Also where nothing is purged: another instance may have put the job into the queue.
      purge_due: {
        cron: "* * * * *",
        work: () => (parts.purges ? purgeDue(parts) : Promise.resolve()),
      },
      follow_rollouts: {
        cron: "* * * * *",
        work: () => followRollouts({ database, runs, log, isStopping }),
      },
      drift_look: {
        cron: "* * * * *",
        work: () =>
          parts.driftCheckS > 0
            ? lookIfDue({ ...parts.drift, database, log, everyS: parts.driftCheckS })
            : Promise.resolve(),
      },
    },
    onWorker: (worker) => void session.hold(worker),
    // Not before its last job has ended: a runner that went down may finish jobs beside its successor, and the
    // other instances must not take those over.
    onWorkerGone: (worker) => session.letGo(worker),
  };
}

/** Deletes operations and rollouts that ended before the retention time, and idempotency keys that have expired. */
async function deleteHistory({ database, retentionDays, log }: InstanceParts): Promise<void> {
  await forgetOldKeys(database.query);
  const deleted = await deleteOld(database.query, retentionDays);
  await deleteOldRollouts(database.query, retentionDays);
  if (deleted > 0) log.info({ deleted }, "old operations were deleted");
}
