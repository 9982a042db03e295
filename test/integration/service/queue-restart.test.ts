import { Client } from "pg";
import { eventually } from "../../support/killable-service";
import { FakeEngineRuns, startService, type ServiceApp } from "../../support/service-app";
import { send, tenantBody } from "../../support/service-client";
import { ownedByService, useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

jest.setTimeout(60_000);

const database = useServiceDatabase();
const gates = new Map<string, () => void>();
let service: ServiceApp;
let runs: FakeEngineRuns;
let token: string;

beforeAll(async () => {
  token = await signed({ expiresIn: 600 });
  runs = new FakeEngineRuns(async ({ slug }) => {
    if (slug.startsWith("held-")) await new Promise<void>((resolve) => gates.set(slug, resolve));
    await database.addTenant(slug, { owner: ownedByService(slug) });
    return { result: "succeeded" };
  });
  service = await startService(runs, { wait: 20_000 });
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
async function breakEnds(): Promise<{ fail: (waiting: number) => Promise<void> }> {
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
  return {
    async fail(waiting) {
      const blocked = "select from pg_locks where locktype = 'advisory' and not granted";
      await eventually(async () => ((await count(blocked)) === waiting ? true : undefined));
      await holder.end();
      // The functions's lock is theirs until each has failed.
      const failed = "select from pg_locks where locktype = 'advisory' and objid = 42";
      await eventually(async () => ((await count(failed)) === 0 ? true : undefined));
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
    const blocked = "select from pg_locks where locktype = 'advisory' and not granted";
    await eventually(async () => ((await count(blocked)) === index + 1 ? true : undefined));
  }
  await ends.fail(3);
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
