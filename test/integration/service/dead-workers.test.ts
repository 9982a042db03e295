import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { pino } from "pino";
import { watchForDeadWorkers } from "../../../service/cluster/dead-workers";
import { enqueue } from "../../../service/cluster/jobs";
import { tryLock } from "../../../service/cluster/liveness";
import type { Database } from "../../../service/database/database";
import { eventually } from "../../support/killable-service";
import { noEngine, startService } from "../../support/service-app";
import { useServiceDatabase } from "../../support/service-database";

const database = useServiceDatabase();

beforeAll(async () => {
  // Makes the queue's tables.
  await (await startService(database.handle, noEngine())).close();
});

async function giveJobTo(worker: string | null): Promise<void> {
  const key = randomUUID();
  await database.handle.transaction((query) => enqueue(query, key));
  await database.sql(
    `update graphile_worker._private_jobs set locked_by = $2, locked_at = now(), attempts = 1
    where key = $1 and $2::text is not null`,
    [key, worker],
  );
}

/** Who holds each job, in the order in which the jobs were made. */
const holders = async () =>
  (
    await database.sql<{ worker: string | null }>(
      "select locked_by as worker from graphile_worker.jobs order by id",
    )
  ).map(({ worker }) => worker);

test("a dead worker's jobs are given back on the second look; no other's ever are", async () => {
  for (const worker of ["lives", "dead", "comes back", null, "dead"]) await giveJobTo(worker);
  const atFirst = await holders();
  const session = new Client(database.url());
  await session.connect();
  const showAlive = (worker: string) => session.query(tryLock, [worker]);
  await showAlive("lives");
  const afterEach: (string | null)[][] = [];
  // A look is three transactions; what the jobs are after the first of them is what the look made of them.
  const watched: Database = {
    ...database.handle,
    async transaction(work) {
      const result = await database.handle.transaction(work);
      afterEach.push(await holders());
      // A session that was lost is made again before the second look.
      if (afterEach.length === 1) await showAlive("comes back");
      return result;
    },
  };
  const stop = new AbortController();
  const watching = watchForDeadWorkers(watched, pino({ level: "silent" }), stop.signal);
  try {
    await eventually(() => (afterEach.length >= 9 ? true : undefined));
  } finally {
    stop.abort();
    await watching;
    await session.end();
  }
  expect(atFirst).toEqual(["lives", "dead", "comes back", null, "dead"]);
  expect(afterEach.slice(0, 3)).toEqual([atFirst, atFirst, atFirst]);
  expect(afterEach[3]).toEqual(["lives", null, "comes back", null, null]);
  expect(afterEach[8]).toEqual(["lives", null, "comes back", null, null]);
});
