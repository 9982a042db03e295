import { Client } from "pg";
import { eventually } from "../../support/killable-service";
import { FakeEngineRuns, startService, type ServiceApp } from "../../support/service-app";
import { send, tenantBody } from "../../support/service-client";
import { ownedByService, useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

const database = useServiceDatabase();
const gates = new Map<string, () => void>();
let service: ServiceApp;
let runs: FakeEngineRuns;
let token: string;

beforeAll(async () => {
  token = await signed({ expiresIn: 600 });
  runs = new FakeEngineRuns(async ({ id, slug }) => {
    if (slug.startsWith("held-")) await new Promise<void>((resolve) => gates.set(slug, resolve));
    await database.addTenant(slug, { id, owner: ownedByService(id) });
    return { result: "succeeded" };
  });
  service = await startService(database.handle, runs, { waitMs: 20_000 });
});
afterAll(() => service.close());

const ask = (slug: string, headers: Record<string, string> = {}) =>
  send(`${service.url}/api/tenant/setup`, {
    ...{ method: "POST", token, headers },
    body: tenantBody({ slug, adminEmail: `ana@${slug}.example` }),
  });

/** Begins a set-up whose engine run waits until it is told to end. */
async function begin(slug: string): Promise<void> {
  const { status } = await ask(slug, { Prefer: "respond-async" });
  expect(status).toBe(202);
  await eventually(() => gates.get(slug));
}

const count = async (statement: string) => (await database.sql(statement)).length;

/**
 * Makes the end of each job wait, and then fail, all together: each of the library's writes is on its
 * way when the first of them fails.
 */
async function breakEnds() {
  await database.sql(
    `create function public.break_end() returns trigger language plpgsql as $$ begin
      perform pg_advisory_xact_lock_shared(42);
      raise exception 'the end of the job cannot be written';
    end $$`,
  );
  await database.sql(
    `create trigger break_end before delete on graphile_worker._private_jobs
    for each row execute function public.break_end()`,
  );
  const holder = new Client(database.url());
  await holder.connect();
  await holder.query("select pg_advisory_lock(42)");
  const at = (granted: boolean) =>
    count(`select from pg_locks
      where locktype = 'advisory' and classid = 0 and objid = 42 and granted = ${String(granted)}`);
  return {
    /** Resolves when so many ends wait. */
    waiting: (many: number) =>
      eventually(async () => ((await at(false)) === many ? true : undefined)),
    /** Lets all that wait fail, and none after them. */
    async fail() {
      await holder.end();
      await eventually(async () => ((await at(true)) + (await at(false)) === 0 ? true : undefined));
      await database.sql("drop trigger break_end on graphile_worker._private_jobs");
      await database.sql("drop function public.break_end()");
    },
  };
}

test("ends of jobs that cannot be written stop nothing: a new queue works on, beside what still runs", async () => {
  for (const slug of ["held-1", "held-2", "held-3", "held-4"]) await begin(slug);
  const ends = await breakEnds();
  // One after the other, so that the library does not write them together.
  for (const [index, slug] of ["held-1", "held-2", "held-3"].entries()) {
    gates.get(slug)?.();
    await ends.waiting(index + 1);
  }
  await ends.fail();
  const meanwhile = await ask("meanwhile");
  expect(meanwhile.status).toBe(201);
  gates.get("held-4")?.();
  const after = await ask("after");
  expect(after.status).toBe(201);
  await eventually(async () => {
    const jobs = await count("select from graphile_worker.jobs");
    return jobs === 0 ? true : undefined;
  });
  expect(await database.sql("select slug, status, attempts from public.operations")).toHaveLength(
    6,
  );
  expect(
    await database.sql(
      "select slug from public.operations where status <> 'succeeded' or attempts > 1",
    ),
  ).toEqual([]);
  expect(runs.asked.map(({ slug }) => slug).sort()).toEqual([
    "after",
    "held-1",
    "held-2",
    "held-3",
    "held-4",
    "meanwhile",
  ]);
});

test("a queue that does not answer is told of by /readyz, and works when it answers again", async () => {
  const ready = async () => {
    const { status, body } = await send(`${service.url}/readyz`);
    return { status, details: body.details };
  };
  expect(await ready()).toEqual({ status: 200, details: undefined });
  const holder = new Client(database.url());
  await holder.connect();
  await holder.query("begin");
  await holder.query("lock table graphile_worker._private_jobs in access exclusive mode");
  const details = [{ path: "queue", message: "does not work" }];
  const told = await eventually(async () => {
    const now = await ready();
    return now.status === 503 ? now : undefined;
  });
  expect(told).toEqual({ status: 503, details });
  await holder.end();
  await eventually(async () => ((await ready()).status === 200 ? true : undefined));
  expect((await ask("answered-again")).status).toBe(201);
});

test("a service that is stopped while ends cannot be written ends", async () => {
  for (const slug of ["held-5", "held-6", "held-7"]) await begin(slug);
  const ends = await breakEnds();
  for (const [index, slug] of ["held-5", "held-6"].entries()) {
    gates.get(slug)?.();
    await ends.waiting(index + 1);
  }
  await ends.fail();
  const closed = service.close();
  gates.get("held-7")?.();
  await closed;
  expect(
    await database.sql("select slug from public.operations where status <> 'succeeded'"),
  ).toEqual([]);
});
