import type { Logger } from "pino";
import { keepConnection } from "./kept-connection";
import type { ServedOperations } from "./operations/operations";
import { startQueue, type Queue } from "./queue/queue";
import { runOperation, type OperationParts } from "./setup/run-operation";

/** What one instance of the service works with. */
export interface InstanceParts extends Omit<OperationParts, "log"> {
  readonly operations: ServedOperations;
  /** Engine runs at once. */
  readonly concurrency: number;
  readonly log: Logger;
}

/**
 * Starts to work on operations: listens to their changes and takes them from the queue, whichever
 * instance accepted them.
 */
export async function startInstance(parts: InstanceParts): Promise<Queue> {
  const { operations, concurrency, log } = parts;
  const session = keepConnection({
    connected: async (client) => {
      await client.query(`listen ${operations.channel}`);
      // What was told while nobody listened is read again.
      operations.tell();
    },
    notified: (_channel, id) => {
      operations.tell(id);
    },
  });
  const queue = await startQueue({
    concurrency,
    log,
    work: (id) => runOperation(id, parts),
    onWorker: () => undefined,
  });
  return {
    async stop() {
      await queue.stop();
      operations.leave();
      await session.close();
    },
  };
}
