import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { reach } from "./database";
import { deregister, newInstance, pruneInstances, register } from "./instances";
import { keepConnection } from "./kept-connection";
import type { ServedOperations } from "./operations/operations";
import { transaction } from "./operations/rows";
import { dropWorkerLock, takeWorkerLock, watchForDeadWorkers } from "./queue/dead-workers";
import { startQueue, type Queue } from "./queue/queue";
import { endOrphans } from "./runs/processes";
import { runOperation, type OperationParts } from "./setup/run-operation";

/** What one instance of the service works with. */
export interface InstanceParts extends Omit<OperationParts, "log"> {
  /** Its id, a UUID. Default: one of its own. */
  readonly id?: string;
  readonly operations: ServedOperations;
  /** Engine runs at once. */
  readonly concurrency: number;
  readonly log: Logger;
}

/**
 * Starts to work on operations: listens to their changes and takes them from the queue, whichever
 * instance accepted them.
 *
 * @throws DatabaseDownError
 */
export async function startInstance(parts: InstanceParts): Promise<Queue> {
  const { operations, concurrency, log } = parts;
  const instance = newInstance(parts.id ?? randomUUID());
  // One that went down may still bring a job to its end beside the one that followed it.
  const workers = new Set<string>();
  const session = keepConnection({
    connected: async (client) => {
      await register(client, instance);
      for (const worker of workers) await client.query(takeWorkerLock, [worker]);
      await client.query(`listen ${operations.channel}`);
      // What was told while nobody listened is read again.
      operations.tell();
    },
    notified: (_channel, id) => {
      operations.tell(id);
    },
  });
  endOrphans();
  await transaction(pruneInstances);
  const stopping = new AbortController();
  const watching = watchForDeadWorkers(log, stopping.signal);
  const queue = await reach(
    startQueue({
      concurrency,
      log,
      work: (id) => runOperation(id, parts),
      onWorker: (worker) => {
        workers.add(worker);
        // A session that breaks now takes the lock when it is made again.
        session.query(takeWorkerLock, [worker]).catch(() => undefined);
      },
      onWorkerGone: (worker) => {
        workers.delete(worker);
        session.query(dropWorkerLock, [worker]).catch(() => undefined);
      },
    }),
  );
  // Stacks that it holds are its own only while its lock shows it alive.
  session.query("select", []).then(parts.runs.startAhead, () => undefined);
  const stopAll = async () => {
    await queue.stop();
    stopping.abort();
    await watching;
    operations.leave();
    await deregister(instance);
    await session.close();
  };
  let stopped: Promise<void> | undefined;
  // Once, however often it is asked for.
  return { trouble: queue.trouble, stop: () => (stopped ??= stopAll()) };
}
