import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { reportDatabaseDown } from "./database/database";
import { deregister, newInstance, pruneInstances, register } from "./cluster/liveness";
import type { ServedOperations } from "./operations/operations";
import { watchForDeadWorkers } from "./cluster/dead-workers";
import { keepConnection, type KeptConnection } from "./cluster/kept-connection";
import { startQueue, type Queue, type QueueParts } from "./cluster/queue";
import { endOrphans } from "./system/processes";
import { forgetOldKeys } from "./operations/idempotency";
import { runOperation, type OperationParts } from "./operations/run-operation";
import { deleteOld } from "./operations/store/store";

/** What one instance of the service works with. */
export interface InstanceParts extends Omit<OperationParts, "log"> {
  /** Its id, a UUID. Default: one of its own. */
  readonly id?: string;
  readonly operations: ServedOperations;
  /** How many days an operation is kept after its end. */
  readonly retentionDays: number;
  /** Engine runs at once. */
  readonly concurrency: number;
  readonly log: Logger;
}

/** An instance that works. */
export interface Instance {
  /** Takes nothing more, and resolves when what it does has ended. */
  readonly stop: () => Promise<void>;
  /** What keeps it from hearing of changes and from being seen alive; undefined while nothing does. */
  readonly sessionTrouble: () => string | undefined;
  /** What keeps it from taking jobs from the queue; undefined while nothing does. */
  readonly queueTrouble: () => string | undefined;
}

/**
 * Starts to work on operations: listens to their changes and takes them from the queue, whichever
 * instance accepted them.
 *
 * @throws DatabaseDownError
 */
export async function startInstance(parts: InstanceParts): Promise<Instance> {
  const { database, operations, log } = parts;
  const instance = newInstance(parts.id ?? randomUUID());
  const session = keepConnection(database.settings, {
    connected: async (client) => {
      await client.query(`listen ${operations.channel}`);
      // What was told while nobody listened is read again.
      operations.notify();
    },
    locked: async (client, name) => {
      if (name === instance.id) await register(client, instance);
    },
    notified: (_channel, id) => {
      operations.notify(id);
    },
  });
  // Stacks that it holds are its own only while its lock shows it alive.
  const alive = session.hold(instance.id);
  const stopping = new AbortController();
  let watching = Promise.resolve();
  let queue: Queue;
  try {
    endOrphans();
    await database.transaction(pruneInstances);
    watching = watchForDeadWorkers(database, log, stopping.signal);
    queue = await reportDatabaseDown(startQueue(queueParts(parts, session)));
  } catch (error) {
    // A start that fails leaves no session behind: the others would take the instance for alive.
    stopping.abort();
    await watching;
    await session.close();
    throw error;
  }
  void alive.then(parts.runs.startAhead);
  const stopAll = async () => {
    await queue.stop();
    stopping.abort();
    await watching;
    operations.close();
    await deregister(database.query, instance);
    await session.close();
  };
  let stopped: Promise<void> | undefined;
  // Once, however often it is asked for.
  return {
    stop: () => (stopped ??= stopAll()),
    sessionTrouble: session.trouble,
    queueTrouble: queue.trouble,
  };
}

/** What the queue works on, and who is told of its workers: the session shows them alive. */
function queueParts(parts: InstanceParts, session: KeptConnection): QueueParts {
  const { database, concurrency, log } = parts;
  return {
    ...{ database, concurrency, log },
    work: (id) => runOperation(id, parts),
    // At a minute when little else begins.
    scheduled: { delete_history: { cron: "23 * * * *", work: () => deleteHistory(parts) } },
    onWorker: (worker) => void session.hold(worker),
    // One that went down may still bring a job to its end beside the one that followed it.
    onWorkerGone: (worker) => session.letGo(worker),
  };
}

/** Deletes what nobody can ask for any more: old operations, and keys that are not known any longer. */
async function deleteHistory({ database, retentionDays, log }: InstanceParts): Promise<void> {
  await forgetOldKeys(database.query);
  const deleted = await deleteOld(database.query, retentionDays);
  if (deleted > 0) log.info({ deleted }, "old operations were deleted");
}
