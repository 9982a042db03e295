import { setTimeout as delay } from "node:timers/promises";
import { badNetworkTo, type BadNetwork } from "../../support/bad-network";
import { eventually } from "../../support/killable-service";
import { FakeEngineRuns, startService, type ServiceApp } from "../../support/service-app";
import { postSetUp, send, tenantBody, type Answer } from "../../support/service-client";
import { ownedByService, useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

/** Within which work goes on, or the service says that it cannot, in ms. */
const SOON = 30_000;

const database = useServiceDatabase();
let network: BadNetwork;
let service: ServiceApp;
let token: string;
let stepMs = 0;

beforeAll(async () => {
  token = await signed({ expiresIn: 600 });
});
beforeEach(async () => {
  network = await badNetworkTo(database.url());
  database.moveHandle(network.through(database.url()));
  stepMs = 0;
  const runs = new FakeEngineRuns(async ({ id, slug }) => {
    const known = await database.sql("select from public.tenants where slug = $1", [slug]);
    if (known.length === 0) await database.addTenant(slug, { id, owner: ownedByService(id) });
    await delay(stepMs);
    return { result: "succeeded" };
  });
  service = await startService(database.handle, runs);
  await eventually(async () => ((await ask("before")).status < 500 ? true : undefined));
});
afterEach(async () => {
  network.heal();
  await service.close();
  await network.close();
  database.moveHandle();
  await database.sql("delete from public.operations");
  await database.sql("delete from public.service_tenants");
  await database.sql("delete from public.tenants");
});

const ask = (slug: string): Promise<Answer> => postSetUp(service.url, token, tenantBody({ slug }));

async function timed<T>(work: Promise<T>): Promise<{ result: T; ms: number }> {
  const began = performance.now();
  const result = await work;
  return { result, ms: performance.now() - began };
}

/** Asks until a tenant is set up while its caller waits. */
async function servedAgain(slug: string, patience: number): Promise<number> {
  const { ms } = await timed(
    eventually(async () => {
      const { status } = await ask(`${slug}-${Math.floor(performance.now())}`);
      return status === 201 ? true : undefined;
    }, patience),
  );
  return ms;
}

test("connections go silent: a caller is answered, and work goes on over new ones", async () => {
  stepMs = 1_000;
  const running = ask("was-running");
  await eventually(async () => {
    const rows = await database.sql("select from public.operations where status = 'running'");
    return rows.length > 0 ? true : undefined;
  });
  network.silence("those there are");
  stepMs = 0;
  const { result, ms } = await timed(ask("asked-in-silence"));
  expect(ms).toBeLessThan(SOON);
  if (result.status !== 201) {
    expect(result.status).toBe(503);
    expect(result.headers.get("Retry-After")).toBe("5");
  }
  expect(await servedAgain("after", SOON)).toBeLessThan(SOON);
  expect([201, 202]).toContain((await running).status);
  await eventually(async () => {
    const rows = await database.sql(
      "select from public.operations where slug = 'was-running' and status = 'succeeded'",
    );
    return rows.length > 0 ? true : undefined;
  });
  expect((await send(`${service.url}/readyz`)).status).toBe(200);
});

test("nothing passes: 503 within half a minute, and all is well when something does", async () => {
  network.silence("all");
  const asked = await timed(ask("asked-in-vain"));
  expect(asked.ms).toBeLessThan(SOON);
  expect(asked.result.status).toBe(503);
  expect(asked.result.headers.get("Retry-After")).toBe("5");
  const ready = await timed(send(`${service.url}/readyz`));
  expect(ready.ms).toBeLessThan(10_000);
  expect(ready.result.body.details).toContainEqual({
    path: "database",
    message: "does not work",
  });
  network.heal();
  expect(await servedAgain("healed", SOON)).toBeLessThan(SOON);
  await eventually(async () =>
    (await send(`${service.url}/readyz`)).status === 200 ? true : undefined,
  );
});

test("connections are reset on this side only: callers are told the end again within 5 s", async () => {
  network.resetClients();
  expect(await servedAgain("after-reset", SOON)).toBeLessThan(5_000);
});

test("sessions that were lost on this side are ended on the server's", async () => {
  expect(network.serverSides()).toBeGreaterThan(0);
  network.resetClients();
  const lost = await sessions();
  await eventually(async () => {
    const left = await sessions();
    return lost.every((pid) => !left.includes(pid)) ? true : undefined;
  }, SOON);
});

async function sessions(): Promise<number[]> {
  const rows = await database.sql<{ pid: number }>(
    `select pid from pg_stat_activity
    where application_name = 'pulumi-tenant' and datname = current_database()`,
  );
  return rows.map(({ pid }) => pid);
}
