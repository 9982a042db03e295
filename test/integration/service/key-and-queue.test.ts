import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../../support/killable-service";
import {
  FakeEngineRuns,
  noEngine,
  startService,
  startServiceApp,
  type ServiceApp,
  type ServiceAppOptions,
} from "../../support/service-app";
import { send, tenantBody } from "../../support/service-client";
import { ownedByService, useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

const database = useServiceDatabase();
const services: ServiceApp[] = [];
let token: string;

beforeAll(async () => {
  token = await signed({ expiresIn: 600, claims: { sub: "asker", role: "SUPER_ADMIN" } });
  // Makes the queue's tables.
  await (await startService(database.handle, noEngine())).close();
});
afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.close()));
  await database.sql("delete from graphile_worker._private_jobs");
  await database.sql("delete from public.idempotency_keys");
  await database.sql("delete from public.operations");
});

/** The service without anybody who works on what it accepts. */
async function startIdle(options: ServiceAppOptions = {}): Promise<ServiceApp> {
  const service = await startServiceApp(database.handle, noEngine(), options);
  services.push(service);
  return service;
}

/** The service with an engine that does this, and leaves the tenant active. */
async function start(does: () => Promise<void> = () => Promise.resolve()) {
  const runs = new FakeEngineRuns(async ({ id, slug }) => {
    await does();
    await database.addTenant(slug, { id, owner: ownedByService(id) });
    return { result: "succeeded" };
  });
  const service = await startService(database.handle, runs);
  services.push(service);
  return { service, runs };
}

function post({ url }: ServiceApp, slug: string, key?: string, prefer = "respond-async") {
  return send(`${url}/api/tenant/setup`, {
    ...{ method: "POST", token, body: tenantBody({ slug, adminEmail: `ana@${slug}.example` }) },
    headers: { Prefer: prefer, ...(key === undefined ? {} : { "Idempotency-Key": key }) },
  });
}

const operations = () =>
  database.sql<{ id: string; row: Record<string, unknown> }>(
    "select id, to_jsonb(o) as row from public.operations o order by id",
  );

test("one key for ten slugs at once stands for one of them: the others are refused, and nothing is left of them", async () => {
  const [one, two] = [await startIdle(), await startIdle()];
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, number) =>
      post(number % 2 === 0 ? one : two, `same-key-${number}`, "same-key"),
    ),
  );
  const accepted = answers.filter(({ status }) => status === 202);
  expect(accepted).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 422)).toHaveLength(9);
  expect((await operations()).map(({ id }) => id)).toEqual([accepted[0]?.body.id]);
  const jobs = await database.sql<{ key: string }>("select key from graphile_worker.jobs");
  expect(jobs).toEqual([{ key: accepted[0]?.body.id }]);
});

test("keys older than a day are deleted, whoever's they are, and younger ones stay", async () => {
  const service = await startIdle();
  for (const [subject, key, age] of [
    ["asker", "old", "24 hours"],
    ["other", "old", "25 hours"],
    ["asker", "young", "23 hours 59 minutes"],
    ["other", "young", "1 minute"],
  ]) {
    await database.sql(
      `insert into public.idempotency_keys (subject, key, fingerprint, conflict, created_at)
      values ($1, $2, 'x', 'taken', now() - $3::interval)`,
      [subject, key, age],
    );
  }
  expect((await post(service, "with-a-key", "new")).status).toBe(202);
  const keys = await database.sql<{ subject: string; key: string }>(
    "select subject, key from public.idempotency_keys order by subject, key",
  );
  expect(keys.map(({ subject, key }) => `${subject} ${key}`)).toEqual([
    ...["asker new", "asker young", "other young"],
  ]);
});

test("set-ups that run count as those that wait, and those that have ended do not", async () => {
  const service = await startIdle({ limit: 2 });
  const { body } = await post(service, "runs");
  expect((await post(service, "waits")).status).toBe(202);
  await database.sql(
    "update public.operations set status = 'running', attempts = 1 where slug = 'runs'",
  );
  expect((await post(service, "too-many")).status).toBe(503);
  await database.sql(
    `update public.operations set status = 'failed', failure = '{}', finished_at = now()
    where id = $1`,
    [body.id],
  );
  expect((await post(service, "has-room")).status).toBe(202);
});

test("an operation that has ended does not begin again, whatever is in the queue", async () => {
  const { service, runs } = await start();
  const done = await post(service, "done", undefined, "wait=60");
  expect(done.status).toBe(201);
  await eventually(async () => {
    const rows = await operations();
    return rows.every(({ row }) => row.status === "succeeded") || undefined;
  });
  const ended = await post(service, "ended");
  await eventually(
    async () => (await operations()).every(({ row }) => row.finished_at) || undefined,
  );
  await database.sql(
    `update public.operations set status = 'failed', failure = '{}' where id = $1`,
    [ended.body.id],
  );
  const before = await operations();
  expect(before).toHaveLength(2);
  const jobs = "select from graphile_worker.jobs";
  await eventually(async () => (await database.sql(jobs)).length === 0 || undefined);
  for (const { id } of before) {
    await database.sql(
      `select graphile_worker.add_job('run_operation',
        json_build_object('operationId', $1::text), job_key := $1::text)`,
      [id],
    );
  }
  await eventually(async () => (await database.sql(jobs)).length === 0 || undefined);
  expect(await operations()).toEqual(before);
  expect(runs.asked).toHaveLength(2);
});

test("a start that another has taken over writes nothing more of its operation", async () => {
  const gates: (() => void)[] = [];
  const { service } = await start(() => new Promise((resolve) => gates.push(resolve)));
  const { body } = await post(service, "taken-over");
  const gate = await eventually(() => gates[0]);
  await database.sql(
    "create table public.writes (attempts int, status text, applied_at timestamptz)",
  );
  await database.sql(
    `create function public.note_write() returns trigger language plpgsql as $$ begin
      insert into public.writes values (new.attempts, new.status, new.applied_at);
      return null;
    end $$`,
  );
  await database.sql(
    `create trigger note_write after update on public.operations
    for each row execute function public.note_write()`,
  );
  try {
    // As another instance's start does. What this one's does next is the second row with attempts 3.
    await database.sql("update public.operations set attempts = 2 where id = $1", [body.id]);
    gate();
    // The queue runs it again, since it has not ended.
    (await eventually(() => gates[1]))();
    await eventually(async () => {
      const [{ row } = { row: {} }] = await operations();
      return ("finished_at" in row && row.finished_at !== null) || undefined;
    });
    const writes = await database.sql("select * from public.writes where attempts = 2");
    expect(writes).toEqual([{ attempts: 2, status: "running", applied_at: null }]);
  } finally {
    for (const open of gates) open();
    await database.sql("drop function public.note_write cascade");
    await database.sql("drop table public.writes");
  }
});

test("a service that goes down waits for its jobs, for longer than the library would", async () => {
  let finish: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (finish = resolve));
  const { service, runs } = await start(() => held);
  await post(service, "held");
  await eventually(() => runs.asked[0]);
  let closed = false;
  const closing = service.close().then(() => (closed = true));
  // The library leaves its jobs to themselves after 5 s: that time has to pass.
  await delay(6_000);
  expect(closed).toBe(false);
  finish();
  await closing;
  services.length = 0;
  expect((await operations()).map(({ row }) => row.status)).toEqual(["succeeded"]);
});
