import { pino } from "pino";
import { openQueuePool } from "../../../service/cluster/queue-pool";
import { startRunner } from "../../../service/cluster/runner";
import { noEngine, startService } from "../../support/service-app";
import { eventually } from "../../support/killable-service";
import { useServiceDatabase } from "../../support/service-database";

const database = useServiceDatabase();

// Makes the queue's tables.
beforeAll(async () => (await startService(database.handle, noEngine())).close());

test("a runner that goes down before its LISTEN has failed gives its connection back once", async () => {
  const queuePool = openQueuePool(database.handle.settings, 3);
  let failListen: ((error: Error) => void) | undefined;
  let unlistens = 0;
  queuePool.pool.on("connect", (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    const watched = (...args: unknown[]) => {
      const text = String(args[0]);
      if (text.startsWith("LISTEN")) return new Promise((_, reject) => (failListen = reject));
      const answer = query(...args);
      if (text.startsWith("UNLISTEN")) {
        const count = () => void (unlistens += 1);
        (answer as Promise<unknown>).then(count, count);
      }
      return answer;
    };
    Object.assign(client, { query: watched });
  });
  const runner = await startRunner({
    ...{ pool: queuePool, concurrency: 1, scheduled: {}, log: pino({ level: "silent" }) },
    work: () => Promise.resolve(),
    began: () => undefined,
    beat: () => undefined,
  });
  const fail = await eventually(() => failListen);
  const gone = runner.retire();
  await eventually(() => unlistens === 1 || undefined);
  fail(new Error("Connection terminated"));
  await eventually(() => unlistens === 2 || undefined);
  await gone;
  // Every connection is back, and a rejection that nobody has would have failed this test.
  await eventually(() => queuePool.pool.idleCount === queuePool.pool.totalCount || undefined);
  queuePool.destroy();
});
