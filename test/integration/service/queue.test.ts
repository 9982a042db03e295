import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { pino } from "pino";
import { enqueue } from "../../../service/cluster/jobs";
import { startQueue } from "../../../service/cluster/queue";
import { useServiceDatabase } from "../../support/service-database";

const database = useServiceDatabase();

test("a queue that cannot write down that its last job has ended stops all the same", async () => {
  const blocker = new Client(database.url());
  await blocker.connect();
  const worked: string[] = [];
  let done: () => void = () => undefined;
  const atWork = new Promise<void>((resolve) => (done = resolve));
  const queue = await startQueue({
    database: database.handle,
    concurrency: 1,
    async work(id) {
      worked.push(id);
      await blocker.query("begin");
      await blocker.query("lock table graphile_worker._private_jobs in access exclusive mode");
      done();
    },
    onWorker: () => undefined,
    onWorkerGone: () => undefined,
    log: pino({ level: "silent" }),
  });
  const id = randomUUID();
  await enqueue(database.handle.query, id);
  await atWork;
  const began = performance.now();
  await queue.stop();
  expect(performance.now() - began).toBeLessThan(30_000);
  expect(worked).toEqual([id]);
  await blocker.end();
});
