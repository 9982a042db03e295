import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { RunOutcome } from "../../../service/pulumi/engine-runs";
import { eventually } from "../../support/killable-service";
import {
  FakeEngineRuns,
  noEngine,
  startService,
  startServiceApp,
  type AskedTenant,
  type OnStep,
  type ServiceApp,
  type ServiceAppOptions,
} from "../../support/service-app";
import { send, tenantBody, type Answer } from "../../support/service-client";
import { ownedByService, useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

const database = useServiceDatabase();
const services: ServiceApp[] = [];
let token: string;
let viewer: string;
let other: string;

beforeAll(async () => {
  const tokenOf = (sub: string, ...permissions: string[]) =>
    signed({ expiresIn: 600, claims: { sub, permissions } });
  token = await tokenOf("asker", "CREATE_TENANT");
  viewer = await tokenOf("viewer", "VIEW_TENANTS");
  other = await tokenOf("other", "CREATE_TENANT");
  // Makes the queue's tables.
  await (await startService(database.handle, noEngine())).close();
});
afterEach(() => Promise.all(services.splice(0).map((service) => service.close())));

type Does = (tenant: AskedTenant, onStep: OnStep) => Promise<RunOutcome>;

async function start(does: Does = succeed, options: ServiceAppOptions = {}) {
  const runs = new FakeEngineRuns(does);
  const service = await startService(database.handle, runs, options);
  services.push(service);
  return { service, runs };
}

/** The service without anybody who works on the queue. */
async function startIdle(options: ServiceAppOptions = {}) {
  const service = await startServiceApp(database.handle, noEngine(), options);
  services.push(service);
  return service;
}

async function succeed({ id, slug }: AskedTenant): Promise<RunOutcome> {
  await database.addTenant(slug, { id, owner: ownedByService(id) });
  return { result: "succeeded" };
}

function post(
  { url }: ServiceApp,
  body: Record<string, unknown>,
  headers: Record<string, string> = {},
  by = token,
): Promise<Answer> {
  const options = { method: "POST", token: by, body: tenantBody(body), headers };
  return send(`${url}/api/tenant/setup`, options);
}

const get = ({ url }: ServiceApp, id: unknown, by = token) =>
  send(`${url}/api/operations/${String(id)}`, { token: by });

/** The events of an operation, up to the stream's end. */
async function eventsOf({ url }: ServiceApp, id: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/api/operations/${String(id)}/events`, {
    headers: { Authorization: `Bearer ${token}`, ...headers },
  });
  expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
  const text = await response.text();
  return text.split("\n\n").flatMap((block) => {
    const [, version, event, data] = /^id: (\d+)\nevent: (\w+)\ndata: (.*)$/.exec(block) ?? [];
    if (data === undefined) return [];
    return [{ version: Number(version), event, data: JSON.parse(data) as Record<string, unknown> }];
  });
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const keyOf = (number: number): Record<string, string> =>
  number % 4 === 0 ? { "Idempotency-Key": `bounded-${number}` } : {};

const respondAsync = { Prefer: "respond-async" };

describe("a caller who would rather not wait", () => {
  test("is answered 202 at once, with the operation and its address", async () => {
    const service = await startIdle();
    const { status, headers, body } = await post(service, { slug: "at-once" }, respondAsync);
    expect(status).toBe(202);
    expect(headers.get("location")).toBe(`/api/operations/${body.id ?? ""}`);
    expect(headers.get("preference-applied")).toBe("respond-async");
    expect(body).toMatchObject({ slug: "at-once", status: "queued", attempts: 0 });
    const rows = await database.sql("select o::text as text from public.operations o");
    expect(JSON.stringify(rows)).not.toContain("quiet purple river");
  });

  test("and one who has waited long enough too", async () => {
    let end: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (end = resolve));
    const { service } = await start(
      async (tenant) => {
        await held;
        return succeed(tenant);
      },
      { waitMs: 200 },
    );
    const { status, body } = await post(service, { slug: "long-wait" }).finally(end);
    expect(status).toBe(202);
    // Not yet running where the queue is slow to take it.
    expect(["queued", "running"]).toContain(body.status);
    const events = await eventsOf(service, body.id);
    expect(events.at(-1)?.data.status).toBe("succeeded");
  });

  test("however often memory is collected meanwhile", async () => {
    const service = await startIdle({ waitMs: 600 });
    const collecting = setInterval(collectGarbage, 100);
    const { status } = await post(service, { slug: "collected" });
    clearInterval(collecting);
    expect(status).toBe(202);
  });

  test("finds the set-up done by the next instance, if this one ends before", async () => {
    const idle = await startIdle();
    const { body } = await post(idle, { slug: "left-over" }, respondAsync);
    const { service } = await start();
    const events = await eventsOf(service, body.id);
    expect(events.at(-1)?.data.status).toBe("succeeded");
  });
});

describe("an operation", () => {
  test("is for who asked, and for who may view tenants", async () => {
    const service = await startIdle();
    const { body } = await post(service, { slug: "mine" }, respondAsync);
    expect((await get(service, body.id)).body).toEqual(body);
    expect((await get(service, body.id, viewer)).status).toBe(200);
    expect((await get(service, body.id, other)).status).toBe(404);
    expect((await get(service, "a4f0ac1e-6c13-4d87-9b0a-0a3c2a1f6f11")).status).toBe(404);
    expect((await get(service, "x")).status).toBe(400);
    expect((await get(service, body.id, "x")).status).toBe(401);
  });

  test("streams its steps, each with an id that grows, up to its end", async () => {
    const { service } = await start(async (tenant, onStep) => {
      for (const step of ["record", "admin", "schema", "migrations", "membership"] as const) {
        for (const status of ["running", "succeeded"] as const) {
          onStep({ step, status });
          // States that come faster than they are written may be written as one.
          await eventually(async () => {
            const is = { name: step, status };
            const written = await database.sql(
              "select from public.operations where slug = 'streamed' and steps @> $1",
              [JSON.stringify([is])],
            );
            return written.length > 0 || undefined;
          });
        }
      }
      return succeed(tenant);
    });
    const { body } = await post(service, { slug: "streamed" }, respondAsync);
    const events = await eventsOf(service, body.id);
    const versions = events.map(({ version }) => version);
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
    expect(events.filter(({ event }) => event === "end")).toHaveLength(1);
    expect(events.length).toBeGreaterThan(5);
    const { steps } = events.at(-1)?.data as { steps: Record<string, string>[] };
    expect(steps.map(({ name, status }) => `${String(name)} ${String(status)}`)).toEqual([
      ...["record succeeded", "admin succeeded", "schema succeeded"],
      ...["migrations succeeded", "membership succeeded"],
    ]);
    for (const step of steps) {
      expect(Date.parse(step.endedAt ?? "")).toBeGreaterThanOrEqual(
        Date.parse(step.startedAt ?? ""),
      );
    }
    const again = await eventsOf(service, body.id, { "Last-Event-ID": String(versions.at(-2)) });
    expect(again.map(({ version }) => version)).toEqual([versions.at(-1)]);
  });

  test("has as many streams as the limits let: 429 for one subject, 503 for all", async () => {
    const service = await startIdle({ streams: { perSubject: 2, total: 3 } });
    const { body } = await post(service, { slug: "many-streams" }, respondAsync);
    const gone = new AbortController();
    const open = (by: string, signal?: AbortSignal) =>
      fetch(`${service.url}/api/operations/${body.id ?? ""}/events`, {
        headers: { Authorization: `Bearer ${by}` },
        ...(signal && { signal }),
      });
    expect((await open(token, gone.signal)).status).toBe(200);
    expect((await open(token)).status).toBe(200);
    const own = await send(`${service.url}/api/operations/${body.id ?? ""}/events`, { token });
    expect(own.status).toBe(429);
    expect(own.headers.get("retry-after")).toBe("5");
    expect(own.body.message).toBe("More than 2 event streams of one subject are open");
    expect((await open(viewer)).status).toBe(200);
    const all = await send(`${service.url}/api/operations/${body.id ?? ""}/events`, {
      token: viewer,
    });
    expect(all.status).toBe(503);
    expect(all.body.message).toBe("Too many event streams are open");
    expect((await get(service, body.id)).status).toBe(200);

    // A stream that is closed makes place for another.
    gone.abort();
    const again = await eventually(async () => {
      const { status } = await open(token);
      return status === 503 ? undefined : status;
    });
    expect(again).toBe(200);
  });

  test("that failed tells a reference, and which step it was", async () => {
    const { service } = await start((_tenant, onStep) => {
      onStep({ step: "record", status: "running" });
      return Promise.resolve({ result: "failed", faults: ["pq: secret detail"] });
    });
    const { body } = await post(service, { slug: "fails" }, respondAsync);
    const last = (await eventsOf(service, body.id)).at(-1)?.data;
    expect(last).toMatchObject({ status: "failed", failure: { statusCode: 500 } });
    expect(JSON.stringify(last)).toMatch(/"name":"record","error":"[^"]*by reference/);
    expect(JSON.stringify(last)).not.toContain("secret detail");
  });

  test("that was interrupted is tried again by itself", async () => {
    let tries = 0;
    const { service, runs } = await start((tenant) =>
      ++tries < 3
        ? Promise.resolve({ result: "interrupted", faults: ["killed"] })
        : succeed(tenant),
    );
    expect((await post(service, { slug: "interrupted" })).status).toBe(201);
    expect(runs.asked).toHaveLength(3);
  });

  test("whose worker died is run by another at once", async () => {
    const idle = await startIdle();
    const { body } = await post(idle, { slug: "orphaned" }, respondAsync);
    await database.sql(
      `update graphile_worker._private_jobs set locked_by = 'pool-dead', locked_at = now(), attempts = 1
      where key = $1`,
      [body.id],
    );
    const { service } = await start();
    const events = await eventsOf(service, body.id);
    expect(events.at(-1)?.data.status).toBe("succeeded");
  });
});

describe("Idempotency-Key", () => {
  const key = (text: string) => ({ "Idempotency-Key": text });

  test("sent again it gives the same answer, also after a restart", async () => {
    const { service, runs } = await start();
    const first = await post(service, { slug: "keyed" }, key("k-1"));
    const second = await post(service, { slug: "keyed" }, key("k-1"));
    await services.pop()?.close();
    const third = await post((await start()).service, { slug: "keyed" }, key("k-1"));
    expect([first, second, third].map(({ status }) => status)).toEqual([201, 201, 201]);
    expect([second.body, third.body]).toEqual([first.body, first.body]);
    expect(runs.asked).toHaveLength(1);
  });

  test.each([
    ["another name", { name: "Other" }],
    ["another password", { adminPassword: "another quiet river" }],
    ["no password", { adminPassword: undefined }],
    ["another slug", { slug: "other-slug" }],
  ])("with %s it is refused", async (what, change) => {
    const { service } = await start();
    const slug = `refused-${what.replace(" ", "-")}`;
    expect((await post(service, { slug }, key(slug))).status).toBe(201);
    expect((await post(service, { slug, ...change }, key(slug))).status).toBe(422);
  });

  test("of another caller is another key", async () => {
    const { service } = await start();
    expect((await post(service, { slug: "whose" }, key("same"))).status).toBe(201);
    expect((await post(service, { slug: "whose-too" }, key("same"), other)).status).toBe(201);
  });

  test("sent ten times at once it makes one operation, for which all wait", async () => {
    let finish: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const { service, runs } = await start(async (tenant) => {
      await finished;
      return succeed(tenant);
    });
    const five = (how: Record<string, string>) =>
      Array.from({ length: 5 }, () => post(service, { slug: "ten-times" }, how));
    const [waiting, told] = [five(key("ten")), five({ ...key("ten"), ...respondAsync })];
    // Half of them are answered while it runs, so it ends after they have found it.
    const accepted = await Promise.all(told);
    finish();
    const answers = await Promise.all(waiting);
    expect(accepted.map(({ status }) => status)).toEqual(Array(5).fill(202));
    expect(answers.map(({ status }) => status)).toEqual(Array(5).fill(201));
    for (const same of [accepted, answers]) {
      expect(new Set(same.map(({ body }) => body.id)).size).toBe(1);
    }
    expect(runs.asked).toHaveLength(1);
  });

  test("of a conflict gives that conflict, also when the slug is free by then", async () => {
    const { service } = await start();
    const id = await database.addTenant("freed");
    expect((await post(service, { slug: "freed" }, key("c-1"))).status).toBe(409);
    await database.sql("delete from public.tenants where id = $1", [id]);
    expect((await post(service, { slug: "freed" }, key("c-1"))).status).toBe(409);
    expect((await post(service, { slug: "freed" }, key("c-2"))).status).toBe(201);
  });

  test("is forgotten after 24 hours, and the slug is not", async () => {
    const { service } = await start();
    expect((await post(service, { slug: "forgotten" }, key("old"))).status).toBe(201);
    await database.sql(
      `update public.idempotency_keys set created_at = now() - interval '24 hours' where key = 'old'`,
    );
    expect((await post(service, { slug: "forgotten" }, key("old"))).status).toBe(409);
  });

  test.each([["x".repeat(256)], ["with space"]])("%s is no key", async (text) => {
    const { status, body } = await post(await startIdle(), { slug: "no-key" }, key(text));
    expect(status).toBe(400);
    expect(body.details?.[0]?.path).toBe("Idempotency-Key");
  });
});

test("beyond the bound of the queue it is 503, with when to come back", async () => {
  await database.sql("delete from public.idempotency_keys");
  await database.sql("delete from public.operations");
  const service = await startIdle({ limit: 2 });
  expect((await post(service, { slug: "queue-1" }, respondAsync)).status).toBe(202);
  expect((await post(service, { slug: "queue-2" }, respondAsync)).status).toBe(202);
  const { status, headers } = await post(service, { slug: "queue-3" }, respondAsync);
  expect(status).toBe(503);
  expect(headers.get("retry-after")).toBe("30");
});

test("of forty at once no more are accepted than the bound lets, by two instances", async () => {
  await database.sql("delete from public.idempotency_keys");
  await database.sql("delete from public.operations");
  const [one, two] = [await startIdle({ limit: 5 }), await startIdle({ limit: 5 })];
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, number) => {
      const service = number % 2 === 0 ? one : two;
      return post(service, { slug: `at-once-${number}` }, { ...respondAsync, ...keyOf(number) });
    }),
  );
  const accepted = answers.filter(({ status }) => status === 202);
  expect(accepted).toHaveLength(5);
  const refused = answers.filter(({ status }) => status === 503);
  expect(refused).toHaveLength(35);
  for (const { headers } of refused) expect(headers.get("retry-after")).toBe("30");
  const rows = await database.sql<{ id: string }>("select id from public.operations");
  expect(rows.map(({ id }) => id).sort()).toEqual(accepted.map(({ body }) => body.id).sort());
  const jobs = await database.sql("select 1 from graphile_worker.jobs where key = any($1)", [
    rows.map(({ id }) => id),
  ]);
  expect(jobs).toHaveLength(5);
  // A key of one that was refused stands for nothing.
  const keys = await database.sql("select 1 from public.idempotency_keys");
  expect(keys.length).toBeLessThanOrEqual(5);
});

test("of two hundred at once all are answered, and those whose password would wait too long by 503", async () => {
  await database.sql("delete from public.idempotency_keys");
  await database.sql("delete from public.operations");
  const service = await startIdle({ limit: 1_000 });
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, number) =>
      post(service, { slug: `hash-${number}` }, respondAsync),
    ),
  );
  const refused = answers.filter(({ status }) => status === 503);
  expect(answers.filter(({ status }) => status === 202)).toHaveLength(200 - refused.length);
  expect(refused.length).toBeGreaterThan(0);
  for (const { headers } of refused) expect(headers.get("retry-after")).toBe("5");
  const log = service.log.filter((line) => line.includes("passwords wait to be hashed"));
  expect(log).toHaveLength(refused.length);
  expect((await post(service, { slug: "hash-later" }, respondAsync)).status).toBe(202);
});

test("more than so many a minute of one caller is 429; another caller's still pass", async () => {
  const service = await startIdle({ ratePerMinute: 2 });
  const ask = (by: string) => post(service, { slug: "x" }, {}, by);
  expect([(await ask(token)).status, (await ask(token)).status]).toEqual([400, 400]);
  const { status, headers, body } = await ask(token);
  expect(status).toBe(429);
  expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
  expect(headers.get("ratelimit")).toMatch(/r=0; t=\d+/);
  expect(headers.get("ratelimit-policy")).toMatch(/q=2; w=60/);
  expect(body.error).toBe("Too Many Requests");
  expect((await ask(other)).status).toBe(400);
});
