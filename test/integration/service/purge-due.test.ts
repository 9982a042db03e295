import { pino } from "pino";
import { serveOperations } from "../../../service/operations/operations";
import { purgeDue } from "../../../service/operations/purge-due";
import type { RunOutcome } from "../../../service/pulumi/engine-runs";
import { eventually } from "../../support/killable-service";
import { FakeEngineRuns, startService, type ServiceApp } from "../../support/service-app";
import { useServiceDatabase } from "../../support/service-database";

const database = useServiceDatabase();
const services: ServiceApp[] = [];
let log: string[];

const operations = serveOperations({
  ...{ database: database.handle, limit: 100, waitMs: 1_000, purgeAfterDays: 30 },
});
/** What the schedule does each minute. */
const look = () =>
  purgeDue({
    ...{ database: database.handle, operations },
    log: pino({}, { write: (line: string) => void log.push(line) }),
  });

beforeEach(async () => {
  log = [];
  // The queue's tables are made by a service that starts.
  await start();
  await database.sql("delete from public.operations");
  await database.sql("delete from public.service_tenants");
  await database.sql("delete from public.tenants");
});
afterEach(() => Promise.all(services.splice(0).map((service) => service.close())));

async function start(end: (id: string) => Promise<RunOutcome> = database.end, purges = true) {
  const runs = new FakeEngineRuns(database.apply, end);
  const service = await startService(database.handle, runs, { purges });
  services.push(service);
}

/** Starts the service anew, with runs that end so. */
async function restart(end: (id: string) => Promise<RunOutcome>, purges = true): Promise<void> {
  await Promise.all(services.splice(0).map((service) => service.close()));
  await start(end, purges);
}

/** A tenant that is deleted, to be purged so many days from now. */
async function deleted(slug: string, days: number): Promise<string> {
  const id = await database.addWanted(slug);
  await database.addTenant(slug, { id, status: "deleted" });
  await database.sql(
    `update public.service_tenants set status = 'deleted', restores_to = 'active',
      purge_at = now() + $2 * interval '1 day' where id = $1`,
    [id, days],
  );
  return id;
}

const left = async () =>
  (await database.sql<{ slug: string }>("select slug from public.tenants order by slug")).map(
    ({ slug }) => slug,
  );

const purges = () =>
  database.sql<{ slug: string; status: string; subject: string | null }>(
    "select slug, status, subject from public.operations where kind = 'purge' order by created_at",
  );

/** Resolves when no operation is alive. */
const idle = () =>
  eventually(async () => {
    const alive = await database.sql("select from public.operations where finished_at is null");
    return alive.length === 0 ? true : undefined;
  });

test("whose time came first is purged first, one at a time, and who is not due stays", async () => {
  await deleted("due", -1);
  await deleted("overdue", -2);
  await deleted("not-due", 1);
  await database.addTenant("active", { id: await database.addWanted("active") });
  await look();
  await idle();
  expect(await purges()).toEqual([{ slug: "overdue", status: "succeeded", subject: null }]);
  expect(await left()).toEqual(["active", "due", "not-due"]);
  await look();
  await idle();
  await look();
  await idle();
  expect(await left()).toEqual(["active", "not-due"]);
  expect(log.join()).toContain("its time has come");
});

test("two instances that look at once purge it once", async () => {
  await deleted("once", -1);
  await Promise.all(Array.from({ length: 8 }, look));
  await idle();
  expect(await purges()).toHaveLength(1);
  expect(await left()).toEqual([]);
});

test("while a purge is under way, no other begins", async () => {
  let go: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (go = resolve));
  await restart(async (id) => {
    await held;
    return database.end(id);
  });
  await deleted("first", -2);
  await deleted("second", -1);
  await look();
  await look();
  expect(await purges()).toHaveLength(1);
  go();
  await idle();
});

test("a purge that fails is tried again after longer and longer pauses, and others have their turn", async () => {
  const words = "schema tenant_x is in use from outside by view report: drop that first";
  const stuck = await deleted("stuck", -2);
  await restart((id) =>
    id === stuck ? Promise.resolve({ result: "failed", faults: [words] }) : database.end(id),
  );
  const ago = (interval: string) =>
    database.sql(
      `update public.operations set finished_at = now() - $1::interval where kind = 'purge'
        and finished_at > now() - interval '1 minute'`,
      [interval],
    );
  const tries = async () => (await purges()).filter(({ slug }) => slug === "stuck").length;
  await deleted("other", -1);
  for (const slug of ["stuck", "other"]) {
    await look();
    await idle();
    expect((await purges()).at(-1)).toMatchObject({ slug });
  }
  await look();
  expect(await tries()).toBe(1);
  await ago("61 seconds");
  await look();
  await idle();
  expect(await tries()).toBe(2);
  // After the second failure the pause is two minutes.
  await ago("61 seconds");
  await look();
  expect(await tries()).toBe(2);
  expect(services[0]?.log.join()).toContain("in use outside of it, by view report");
  const [row] = await database.sql("select status from public.service_tenants where id = $1", [
    stuck,
  ]);
  expect(row).toEqual({ status: "deleted" });
});

test.each([
  [true, []],
  [false, ["scheduled"]],
])("the schedule's job purges where PURGE is on: %s", async (isOn, rest) => {
  await restart(database.end, isOn);
  await deleted("scheduled", -1);
  await database.sql("select graphile_worker.add_job('purge_due')");
  await eventually(async () => {
    const jobs = await database.sql("select from graphile_worker.jobs");
    return jobs.length === 0 ? true : undefined;
  });
  await idle();
  expect(await left()).toEqual(rest);
});
