import { Client } from "pg";
import { eventually } from "../support/killable-service";
import type { Answer } from "../support/service-client";
import { endSessions, makeWorld, whole, type World } from "../support/world";

let slow: World;
let slowAnswer: Promise<Answer>;
let world: World;

beforeAll(async () => {
  // It takes its minute beside the other tests.
  slow = await makeWorld({ sleep: 60, env: { SETUP_WAIT: "2" } });
  slowAnswer = slow.ask("a-minute");
  world = await makeWorld({ sleep: 1, env: { SETUP_CONCURRENCY: "1" } });
});
afterAll(async () => {
  await world.end();
  await slow.end();
});

/** Waits until the tenant's last migration runs. */
async function migrating(): Promise<void> {
  await eventually(async () => {
    const rows = await world.asSuperuser(
      `select from pg_stat_activity where datname = '${world.role}' and query like '%pg_sleep(%'
      and query not like '%pg_stat_activity%'`,
    );
    return rows.length > 0 ? true : undefined;
  });
}

test("a database that lets nobody in: 503, and what was accepted succeeds when it does again", async () => {
  const { role } = world;
  const ids = [await world.begin("shut-out"), await world.begin("shut-out-too")];
  await migrating();
  await world.asSuperuser(`alter database ${role} allow_connections false`, endSessions(role));
  const answer = await world.ask("too-early");
  expect(answer.status).toBe(503);
  expect(answer.body.message).toBe("Not possible just now; send the request again");
  expect(answer.headers.get("Retry-After")).toBe("5");
  expect((await world.get("/readyz")).body.details).toEqual([
    { path: "database", message: "does not work" },
  ]);
  expect((await world.get("/healthz")).status).toBe(200);
  expect(world.service.log()).toMatch(/database \S+ is not currently accepting connections/);
  await world.asSuperuser(`alter database ${role} allow_connections true`);
  expect(await Promise.all(ids.map((id) => world.ended(id)))).toEqual(["succeeded", "succeeded"]);
  for (const slug of ["shut-out", "shut-out-too"]) {
    const tenant = await world.tenant(slug);
    expect(tenant).toEqual(whole(tenant));
  }
  expect((await world.ask("too-early")).status).toBe(201);
});

test("a database without a connection to spare: what was accepted succeeds when it has some", async () => {
  const ids = [await world.begin("has-one"), await world.begin("gets-none")];
  await migrating();
  // What is there stays: only new ones are refused, be it the service's, the run's, or the queue's, which does
  // not say why.
  await world.asSuperuser(`alter role ${world.role} connection limit 0`);
  await world.logged(
    /too many connections for role|Could not completeJobs|no answer from the queue/,
  );
  await world.asSuperuser(`alter role ${world.role} connection limit -1`);
  expect(await Promise.all(ids.map((id) => world.ended(id)))).toEqual(["succeeded", "succeeded"]);
});

test("no connection to spare for the set-up's own processes: it is tried again", async () => {
  const holder = new Client(world.database.superuserUrl);
  await holder.connect();
  await holder.query("begin");
  await holder.query("lock table public.tenants in share row exclusive mode");
  const id = await world.begin("in-the-middle");
  await eventually(async () => {
    const rows = await world.sql(
      "select from pg_locks where not granted and locktype = 'relation'",
    );
    return rows.length > 0 ? true : undefined;
  });
  await world.asSuperuser(`alter role ${world.role} connection limit 0`);
  await holder.end();
  await world.logged(/tried again later: the set-up of tenant in-the-middle was interrupted/);
  await world.asSuperuser(`alter role ${world.role} connection limit -1`);
  expect(await world.ended(id)).toBe("succeeded");
  const tenant = await world.tenant("in-the-middle");
  expect(tenant).toEqual(whole(tenant));
});

test("a migration that meets the statement timeout fails, and goes on when that is lifted", async () => {
  await world.asSuperuser(`alter role ${world.role} set statement_timeout = '500ms'`);
  const refused = await world.ask("timed-out");
  await world.asSuperuser(`alter role ${world.role} reset statement_timeout`);
  expect(refused.status).toBe(500);
  expect(refused.body.message).toContain("Sent again, the request goes on from where it stopped");
  await world.logged(
    /migration 20260101000099_sleep.sql failed in schema \S+: pq: canceling statement due to statement timeout/,
  );
  const half = await world.tenant("timed-out");
  expect(half).toMatchObject({ tenants: ["provisioning"], schemas: 1, memberships: 0 });
  const [row] = await world.sql("select id from public.tenants where slug = 'timed-out'");
  const answer = await world.ask("timed-out");
  expect([answer.status, answer.body.id]).toEqual([201, row?.id]);
  const tenant = await world.tenant("timed-out");
  expect(tenant).toEqual(whole(tenant));
});

test("a migration of a minute: 202 with the operation's address, and it succeeds", async () => {
  const { status, headers, body } = await slowAnswer;
  expect(status).toBe(202);
  expect(headers.get("Location")).toBe(`/api/operations/${String(body.id)}`);
  expect(await slow.ended(String(body.id), 120_000)).toBe("succeeded");
  const tenant = await slow.tenant("a-minute");
  expect(tenant).toEqual(whole(tenant));
});
