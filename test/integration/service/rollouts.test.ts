import { Client } from "pg";
import { openDatabase } from "../../../service/database/database";
import { followRollouts } from "../../../service/operations/follow-rollouts";
import { migrateOnStart } from "../../../service/rollouts/on-start";
import { serveRollouts } from "../../../service/rollouts/rollouts";
import { pino } from "pino";
import { useFleet } from "../../support/fleet";
import { eventually } from "../../support/killable-service";
import { FakeEngineRuns, noEngine, startService, type ServiceApp } from "../../support/service-app";
import { send, type Answer } from "../../support/service-client";
import { signed } from "../../support/service-tokens";

const fleet = useFleet();
const services: ServiceApp[] = [];
let token: string;

beforeAll(async () => {
  token = await signed({
    expiresIn: 3_600,
    claims: { sub: "operator", permissions: ["MIGRATE_TENANTS"] },
  });
});
beforeEach(() => fleet.reset());
afterEach(() => Promise.all(services.splice(0).map((service) => service.close())));
// The pool of the service's handle stays open until its connections are idle for long.
const open = () => openDatabase(fleet.url());

/** Starts an instance that serves and runs rollouts of the folder. */
async function start(): Promise<ServiceApp> {
  const drift = { migrationsDir: fleet.folder };
  const service = await startService(open(), noEngine(), { drift });
  services.push(service);
  return service;
}

const ask = ({ url }: ServiceApp, address = "", method = "POST", body?: unknown): Promise<Answer> =>
  send(`${url}/api/rollouts${address}`, { method, token, body });
const get = (service: ServiceApp, address: string) => ask(service, address, "GET");

/** Waits until the rollout has another status than `running`. */
const ended = (service: ServiceApp, id: unknown) =>
  eventually(async () => {
    const { body } = await get(service, `/${String(id)}`);
    return body.status === "running" ? undefined : body;
  });

const more = "create table b (id int)";
const spoil = async (slug: string) =>
  fleet.sql(`create table "${await fleet.schemaOf(slug)}".b (id int)`);

/** Makes the tenant's next migration wait: it changes `a`, which a session of this test holds. */
async function hold(slug: string): Promise<Client> {
  const holder = new Client(fleet.url());
  await holder.connect();
  await holder.query(`begin; lock table "${await fleet.schemaOf(slug)}".a`);
  return holder;
}

test("a rollout is begun, run by the service, and told as it goes, up to its end", async () => {
  const service = await start();
  const slugs = await fleet.addTenants(5);
  fleet.write("2_more.sql", more);
  await fleet.sql("insert into public.service_drift_looks (began_at) values (now())");
  const begun = await ask(service, "", "POST", { canary: 2, order: "newest" });
  expect(begun).toMatchObject({
    status: 202,
    body: {
      ...{ status: "running", reason: null, askedBy: "operator", tenants: 5, failed: 0 },
      files: ["1_first.sql", "2_more.sql"],
      options: { owner: "service", canary: 2, order: "newest", lockTimeoutMs: 2_000 },
    },
  });
  const { id } = begun.body;
  expect(begun.headers.get("Location")).toBe(`/api/rollouts/${String(id)}`);
  const events = await fetch(`${service.url}/api/rollouts/${String(id)}/events`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  const last = (await events.text()).trim().split("\n\n").at(-1) ?? "";
  expect(last).toMatch(/^event: end\ndata: /);
  expect(JSON.parse(last.slice(last.indexOf("{")))).toMatchObject({
    ...{ id, status: "succeeded", done: 5, atWork: 0, failures: [] },
  });
  for (const slug of slugs) expect(await fleet.applied(slug)).toEqual(["1", "2"]);
  const finishedAt = expect.any(String) as string;
  expect((await get(service, "?limit=1")).body).toEqual({
    data: [expect.objectContaining({ id, status: "succeeded", finishedAt })],
    meta: { limit: 1, nextCursor: null },
  });
  // The next look at all tenants is due: it names those whose tables are not as the files make them.
  const looks = () => fleet.sql("select from public.service_drift_looks");
  await eventually(async () => (await looks()).length === 0 || undefined);
});

test("where no tenant lacks a file, there is nothing to begin", async () => {
  const service = await start();
  await fleet.addTenants(2);
  expect((await ask(service)).status).toBe(204);
  expect((await get(service, "")).body.data).toEqual([]);
});

test("a tenant that fails is named with the file and why, the others go on, and a resume tries it again", async () => {
  const service = await start();
  const [bad = ""] = await fleet.addTenants(4);
  fleet.write("2_more.sql", more);
  await spoil(bad);
  const { body } = await ask(service);
  const failed = await ended(service, body.id);
  expect(failed).toMatchObject({ status: "failed", reason: "1 failed", done: 3, failed: 1 });
  expect(failed.failures).toEqual([
    {
      ...{ slug: bad, tenantId: expect.any(String) as string },
      message: expect.stringMatching(/2_more\.sql.*relation "b" already exists/s) as string,
    },
  ]);
  await eventually(() => service.log.join().includes("the tenant was not migrated") || undefined);
  await fleet.sql(`drop table "${await fleet.schemaOf(bad)}".b`);
  const resumed = await ask(service, `/${String(body.id)}/resume`);
  expect(resumed).toMatchObject({ status: 200, body: { id: body.id, failed: 0 } });
  expect(await ended(service, body.id)).toMatchObject({ status: "succeeded", done: 4 });
});

test("it is paused, resumed, and cancelled; what is at work is ended", async () => {
  const service = await start();
  await fleet.addTenants(3);
  fleet.write("2_more.sql", "alter table a add name text");
  const holder = await hold("t-001");
  const { body } = await ask(service, "", "POST", { lockTimeoutMs: 60_000, canary: 1 });
  const address = `/${String(body.id)}`;
  await eventually(fleet.isWaitingForLock);
  expect((await ask(service, `${address}/pause`)).body).toMatchObject({
    ...{ status: "paused", atWork: 1, finishedAt: null },
  });
  await holder.end();
  await eventually(async () => (await get(service, address)).body.atWork === 0 || undefined);
  expect((await get(service, address)).body).toMatchObject({ status: "paused", done: 1 });
  const again = await hold("t-002");
  await ask(service, `${address}/resume`);
  await eventually(fleet.isWaitingForLock);
  expect((await ask(service, `${address}/cancel`)).body).toMatchObject({ status: "cancelled" });
  await again.end();
  expect(await ask(service, `${address}/resume`)).toMatchObject({
    status: 409,
    body: {
      code: "ROLLOUT_CONFLICT",
      message: `rollout ${String(body.id)} has ended: it is cancelled`,
    },
  });
});

test("what cannot be begun is refused, and says why", async () => {
  const service = await start();
  await fleet.addTenants(2);
  fleet.write("2_more.sql", "alter table a add name text");
  expect(await ask(service, "", "POST", { only: ["nobody"] })).toMatchObject({
    status: 409,
    body: { code: "ROLLOUT_CONFLICT", message: "no tenant of service has the slug nobody" },
  });
  const holder = await hold("t-001");
  const { body } = await ask(service, "", "POST", { lockTimeoutMs: 60_000 });
  expect(await ask(service)).toMatchObject({
    status: 409,
    body: { message: `rollout ${String(body.id)} has not ended: resume it, or cancel it` },
  });
  await holder.end();
  await ended(service, body.id);
  fleet.write("1_first.sql", "create table a (id bigint)");
  expect((await ask(service)).body).toMatchObject({
    ...{ code: "ROLLOUT_CONFLICT" },
    message: expect.stringMatching(/^1_first\.sql was edited .* \(t-001, t-002\)$/) as string,
  });
});

test("bad input, unknown rollouts and tokens without the permission are refused", async () => {
  const service = await start();
  const bad = await ask(service, "", "POST", { canary: -1, order: "biggest", speed: 3 });
  expect(bad.status).toBe(400);
  expect(bad.body.details?.map(({ path }) => path).sort()).toEqual(["canary", "order", "speed"]);
  expect((await ask(service, "?dryRun=true")).status).toBe(400);
  expect((await get(service, "/nonsense")).status).toBe(400);
  const none = "/7a8f0c9e-0000-4000-8000-000000000000";
  expect((await get(service, none)).status).toBe(404);
  for (const verb of ["pause", "resume", "cancel"]) {
    expect((await ask(service, `${none}/${verb}`)).status).toBe(404);
    expect((await ask(service, `${none}/${verb}`, "GET")).status).toBe(405);
  }
  expect((await ask(service, "", "DELETE")).status).toBe(405);

  const permissions = ["VIEW_TENANTS", "UPDATE_TENANT", "CREATE_TENANT"];
  token = await signed({ expiresIn: 600, claims: { sub: "other", permissions } });
  for (const [method, address] of [
    ["GET", ""],
    ["POST", ""],
    ["GET", none],
    ["GET", `${none}/events`],
    ...["pause", "resume", "cancel"].map((verb) => ["POST", `${none}/${verb}`]),
  ]) {
    const { status, body } = await ask(service, address, method);
    expect({ address, status, message: body.message }).toEqual({
      ...{ address, status: 403, message: "The token does not permit MIGRATE_TENANTS" },
    });
  }
  token = await signed({ expiresIn: 3_600, claims: { sub: "operator", role: "SUPER_ADMIN" } });
});

test("two instances share one, and each tenant is migrated once", async () => {
  const [service] = [await start(), await start()];
  const slugs = await fleet.addTenants(8);
  fleet.write("2_more.sql", `${more}; insert into b values (1); alter table a add name text`);
  const holders = await Promise.all(slugs.map(hold));
  const { body } = await ask(service, "", "POST", { lockTimeoutMs: 600_000 });
  await eventually(async () => {
    const [at] = await fleet.sql<{ work: number; runners: number }>(
      "select count(runner)::int as work, count(distinct runner)::int as runners from rollout_tenants",
    );
    return (at?.work === 4 && at.runners === 2) || undefined;
  });
  await Promise.all(holders.map((holder) => holder.end()));
  expect(await ended(service, body.id)).toMatchObject({ status: "succeeded", done: 8 });
  for (const slug of slugs) {
    expect(await fleet.sql(`select id from "${await fleet.schemaOf(slug)}".b`)).toEqual([
      { id: 1 },
    ]);
  }
});

test("one that a command has begun is the command's, until it is resumed over HTTP", async () => {
  const service = await start();
  await fleet.addTenants(2);
  fleet.write("2_more.sql", "alter table a add name text");
  const holder = await hold("t-001");
  const command = fleet.start("migrate", "--concurrency", "1", "--lock-timeout", "1m");
  await eventually(fleet.isWaitingForLock);
  command.child.kill("SIGKILL");
  await command.ended;
  await holder.end();
  const [{ id } = { id: "" }] = (await get(service, "")).body.data as { id: string }[];
  // The service looks every two seconds; a tenant's migration takes far less.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect((await get(service, `/${id}`)).body).toMatchObject({ status: "running", done: 0 });
  await ask(service, `/${id}/resume`);
  expect(await ended(service, id)).toMatchObject({ status: "succeeded", done: 2 });
});

describe("the states of the service's stacks", () => {
  const database = open;
  const follow = (runs: FakeEngineRuns) =>
    followRollouts({
      ...{ database: database(), runs, isStopping: () => false },
      log: pino({ level: "silent" }),
    });
  const engine = (result: "succeeded" | "interrupted" | "failed") =>
    new FakeEngineRuns(() => Promise.resolve({ result, faults: [] }));
  const behind = () =>
    fleet.sql("select slug from public.service_tenants where is_state_behind order by slug");

  beforeEach(async () => {
    const service = await start();
    const slugs = await fleet.addTenants(3);
    await fleet.addTenants(1, { prefix: "declared", owner: "acme/shop/prod" });
    fleet.write("2_more.sql", more);
    const { body } = await ask(service, "", "POST", { owner: "all" });
    await ended(service, body.id);
    expect(await behind()).toEqual(slugs.map((slug) => ({ slug })));
    await service.close();
    services.pop();
  });

  it("follow by a run for each tenant, once", async () => {
    const runs = engine("succeeded");
    await follow(runs);
    expect(runs.asked.map(({ slug }) => slug).sort()).toEqual(["t-001", "t-002", "t-003"]);
    expect(await behind()).toEqual([]);
    await follow(runs);
    expect(runs.asked).toHaveLength(3);
  });

  it("wait while a rollout runs: its tenants would be behind again", async () => {
    const runs = engine("succeeded");
    await fleet.sql("update public.rollouts set status = 'running', finished_at = null");
    await follow(runs);
    expect(runs.asked).toEqual([]);
    await fleet.sql("update public.rollouts set status = 'succeeded', finished_at = now()");
    await follow(runs);
    expect(runs.asked).toHaveLength(3);
  });

  it("wait while an operation does, and are tried again after a run that was cut off", async () => {
    await fleet.sql(
      `insert into public.operations (id, kind, tenant_id, slug, request, steps)
      select gen_random_uuid(), 'suspend', id, slug, '{}', '{}' from public.tenants where slug = 't-002'`,
    );
    const runs = engine("succeeded");
    await follow(runs);
    expect(runs.asked).toEqual([]);
    await fleet.sql("delete from public.operations");
    const cutOff = engine("interrupted");
    await follow(cutOff);
    expect(cutOff.asked).toHaveLength(1);
    expect(await behind()).toHaveLength(3);
  });

  it("are left to the tenant's next operation where the run fails", async () => {
    const runs = engine("failed");
    await follow(runs);
    expect(runs.asked).toHaveLength(3);
    expect(await behind()).toEqual([]);
  });
});

describe("at the start of the service", () => {
  const log = pino({ level: "silent" });
  const begin = (mode: "off" | "canary" | "all") =>
    migrateOnStart(
      serveRollouts(open(), fleet.folder, () => undefined),
      mode,
      log,
    );
  const rollouts = () =>
    fleet.sql("select is_served, asked_by, (options->>'canary')::int as canary from rollouts");

  it.each([
    ["off", []],
    ["canary", [{ is_served: true, asked_by: null, canary: 3 }]],
    ["all", [{ is_served: true, asked_by: null, canary: 0 }]],
  ] as const)(
    "with %s, instances that start together make as many rollouts",
    async (mode, made) => {
      await fleet.addTenants(2);
      fleet.write("2_more.sql", more);
      await Promise.all([begin(mode), begin(mode), begin(mode)]);
      expect(await rollouts()).toEqual(made);
    },
  );

  it("none is begun where no tenant lacks a file, or one was edited", async () => {
    await fleet.addTenants(2);
    await begin("all");
    fleet.write("1_first.sql", "create table a (id bigint)");
    await begin("all");
    expect(await rollouts()).toEqual([]);
  });
});
