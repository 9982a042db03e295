import { Client } from "pg";
import { pino } from "pino";
import { tenantLock } from "../../../provider/database/tenant-lock";
import { enqueue } from "../../../service/cluster/jobs";
import { Suspects } from "../../../service/cluster/two-looks";
import { mendJobs, queueLost } from "../../../service/cluster/lost-operations";
import { eventually } from "../../support/killable-service";
import {
  FakeEngineRuns,
  noEngine,
  startService,
  startServiceApp,
  type ServiceApp,
} from "../../support/service-app";
import { send, tenantBody } from "../../support/service-client";
import { ownedByService, useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

const database = useServiceDatabase();
const log = pino({ level: "silent" });
let idle: ServiceApp;
let token: string;

beforeAll(async () => {
  token = await signed({ expiresIn: 600 });
  // Makes the queue's tables.
  await (await startService(database.handle, noEngine())).close();
  // Nobody works on what it accepts.
  idle = await startServiceApp(database.handle, noEngine());
});
afterAll(() => idle.close());
beforeEach(async () => {
  await database.sql("delete from graphile_worker._private_jobs");
  await database.sql("delete from public.operations");
});

async function ask(slug: string): Promise<string> {
  const { status, body } = await send(`${idle.url}/api/tenant/setup`, {
    ...{ method: "POST", token, headers: { Prefer: "respond-async" } },
    body: tenantBody({ slug, adminEmail: `ana@${slug}.example` }),
  });
  expect(status).toBe(202);
  return body.id ?? "";
}

const loseJob = (id: string) =>
  database.sql("delete from graphile_worker._private_jobs where key = $1", [id]);

const setRunning = (id: string) =>
  database.sql("update public.operations set status = 'running', attempts = 1 where id = $1", [id]);

const jobs = () =>
  database.sql<{ id: string; key: string }>("select id, key from graphile_worker.jobs order by id");

function look(seen: readonly string[]): Promise<string[]> {
  const suspects = new Suspects();
  suspects.note(seen);
  return database.handle.transaction((run) => queueLost(run, suspects, log));
}

describe("operations without a job", () => {
  test("are queued again when two looks find them, and nobody else is", async () => {
    const queued = await ask("was-queued");
    const running = await ask("was-running");
    const atWork = await ask("at-work");
    const over = await ask("over");
    for (const id of [queued, running, atWork, over]) await loseJob(id);
    for (const id of [running, atWork]) await setRunning(id);
    await database.sql(
      `update public.operations set status = 'failed', finished_at = now(), failure = '{}'
      where id = $1`,
      [over],
    );
    const waiting = await ask("waiting");
    const worker = new Client(database.url());
    await worker.connect();
    const [row] = await database.sql<{ tenant: string }>(
      "select tenant_id as tenant from public.operations where id = $1",
      [atWork],
    );
    const key = [tenantLock(row?.tenant ?? "")];
    await worker.query("select pg_advisory_lock(hashtextextended($1, 0))", key);
    const before = await jobs();
    expect(before).toMatchObject([{ key: waiting }]);

    const first = await look([]);
    expect(first.sort()).toEqual([queued, running].sort());
    expect(await jobs()).toEqual(before);
    await look(first);
    const after = await jobs();
    expect(after).toEqual(expect.arrayContaining(before));
    expect(after.map((job) => job.key).sort()).toEqual([queued, running, waiting].sort());
    expect(await look(first)).toEqual([]);
    expect(await jobs()).toEqual(after);
    await worker.end();
  });

  test("are queued once, however many instances look at once", async () => {
    const id = await ask("found-by-all");
    await loseJob(id);
    const suspects = await look([]);
    await Promise.all([look(suspects), look(suspects), look(suspects)]);
    expect(await jobs()).toMatchObject([{ key: id }]);
    const [row] = await database.sql("select revision from graphile_worker.jobs");
    expect(row).toEqual({ revision: 0 });
  });

  test("come to their end in a service that runs", async () => {
    const ids = [await ask("lost-one"), await ask("lost-other")];
    await setRunning(ids[0] ?? "");
    for (const id of ids) await loseJob(id);
    const runs = new FakeEngineRuns(async ({ id, slug }) => {
      await database.addTenant(slug, { id, owner: ownedByService(id) });
      return { result: "succeeded" };
    });
    const service = await startService(database.handle, runs);
    const alive = "select from public.operations where status <> 'succeeded'";
    await eventually(async () => ((await database.sql(alive)).length === 0 ? true : undefined));
    await service.close();
    expect(runs.asked.map(({ slug }) => slug).sort()).toEqual(["lost-one", "lost-other"]);
    expect(await jobs()).toEqual([]);
  });
});

describe("what the library leaves of jobs", () => {
  const dueIn = async (key: string) => {
    const [row] = await database.sql<{ due: number }>(
      `select extract(epoch from run_at - now())::int as due from graphile_worker.jobs
      where key = $1`,
      [key],
    );
    return row?.due;
  };

  test("a job that failed waits seconds, whatever its attempts; one that is told to wait waits", async () => {
    const [failed, told] = [await ask("failed-often"), await ask("told-to-wait")];
    await database.sql(
      `update graphile_worker._private_jobs
      set attempts = 12, last_error = 'x', run_at = now() + interval '6 hours' where key = $1`,
      [failed],
    );
    await database.handle.transaction((run) => enqueue(run, told, 300_000));
    await database.handle.transaction(mendJobs);
    expect(await dueIn(failed)).toBeLessThanOrEqual(10);
    expect(await dueIn(told)).toBeGreaterThan(250);
  });

  test("a job that another has followed goes when nobody holds it", async () => {
    const [left, held] = [await ask("left"), await ask("held")];
    await database.sql(
      "update graphile_worker._private_jobs set locked_by = 'w', locked_at = now(), attempts = 1",
    );
    await database.handle.transaction((run) => enqueue(run, left));
    await database.handle.transaction((run) => enqueue(run, held));
    const [old] = await jobs();
    await database.sql(
      "update graphile_worker._private_jobs set locked_by = null, locked_at = null where id = $1",
      [old?.id],
    );
    await database.handle.transaction(mendJobs);
    expect((await jobs()).map(({ key }) => key)).toEqual([null, left, held]);
  });
});
