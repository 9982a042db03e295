import type { RunOutcome } from "../../../service/pulumi/engine-runs";
import { deleteOld } from "../../../service/operations/store/store";
import { forgetOldKeys } from "../../../service/operations/idempotency";
import { eventually } from "../../support/killable-service";
import {
  FakeEngineRuns,
  noEngine,
  startService,
  startServiceApp,
  type AskedTenant,
  type OnStep,
  type ServiceApp,
} from "../../support/service-app";
import { postSetUp, send, tenantBody, type Answer } from "../../support/service-client";
import { useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

const database = useServiceDatabase();
const services: ServiceApp[] = [];
let setter: string;
let updater: string;

beforeAll(async () => {
  const tokenOf = (permission: string) =>
    signed({ expiresIn: 600, claims: { sub: "operator", permissions: [permission] } });
  setter = await tokenOf("CREATE_TENANT");
  updater = await tokenOf("UPDATE_TENANT");
});
afterEach(() => Promise.all(services.splice(0).map((service) => service.close())));

const apply = (tenant: AskedTenant) => database.apply(tenant);

async function start(run: (tenant: AskedTenant, onStep: OnStep) => Promise<RunOutcome> = apply) {
  const runs = new FakeEngineRuns(run);
  const service = await startService(database.handle, runs);
  services.push(service);
  return { service, runs };
}

/** The service without anybody who works on the queue. */
async function startIdle(): Promise<ServiceApp> {
  const service = await startServiceApp(database.handle, noEngine());
  services.push(service);
  return service;
}

/** A tenant that was set up over HTTP, with the slug as its name's beginning. */
async function setUp({ url }: ServiceApp, slug: string): Promise<string> {
  const { status, body } = await postSetUp(url, setter, tenantBody({ slug }));
  expect(status).toBe(201);
  return body.id ?? "";
}

function patch(
  { url }: ServiceApp,
  id: string,
  body: unknown,
  headers: Record<string, string> = {},
  token = updater,
): Promise<Answer> {
  return send(`${url}/api/tenant/${id}`, { method: "PATCH", token, body, headers });
}

const tenantRow = async (id: string) =>
  (await database.sql("select name, slug, status from public.tenants where id = $1", [id]))[0];

test("a new name and slug are the tenant's, under the same id, and nobody else's", async () => {
  const { service, runs } = await start();
  const id = await setUp(service, "before");
  const bystander = await setUp(service, "bystander");
  const answer = await patch(service, id, { name: " After ", slug: "after" });
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({ id, name: "After", slug: "after", status: "active" });
  expect(await tenantRow(id)).toEqual({ name: "After", slug: "after", status: "active" });
  expect(await tenantRow(bystander)).toMatchObject({ slug: "bystander" });
  // Its resources are called by its id, which does not change, and keep the first password's hash.
  const [first, , last] = runs.asked;
  expect(last).toMatchObject({ key: id, id, adminPassword: first?.adminPassword });
});

test("a slug that was changed is free for another tenant, and the new one is not", async () => {
  const { service } = await start();
  const id = await setUp(service, "old-slug");
  expect((await patch(service, id, { slug: "new-slug" })).status).toBe(200);
  const again = await postSetUp(service.url, setter, tenantBody({ slug: "new-slug" }));
  expect(again.status).toBe(409);
  expect(await setUp(service, "old-slug")).not.toBe(id);
});

test("what is so already is answered without an operation", async () => {
  const { service, runs } = await start();
  const id = await setUp(service, "same");
  const answer = await patch(service, id, { slug: "same" });
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({ id, slug: "same" });
  expect(runs.asked).toHaveLength(1);
});

describe("it is refused", () => {
  test.each([
    ["a body with nothing in it", {}],
    ["a field that cannot change", { name: "A", adminEmail: "bob@acme.example" }],
    ["a slug that breaks the rules", { slug: "Not A Slug" }],
  ])("for %s: 400", async (_what, body) => {
    const { status } = await patch(await startIdle(), "660e8400-e29b-41d4-a716-446655440000", body);
    expect(status).toBe(400);
  });

  test("for an id that no tenant has: 404", async () => {
    const { status, body } = await patch(
      await startIdle(),
      "660e8400-e29b-41d4-a716-446655440000",
      { name: "A" },
    );
    expect(status).toBe(404);
    expect(body.code).toBe("NOT_FOUND");
  });

  test("without the permission: 403, whatever else the token permits", async () => {
    const { service } = await start();
    const id = await setUp(service, "not-permitted");
    expect((await patch(service, id, { name: "A" }, {}, setter)).status).toBe(403);
  });

  test("for a tenant that a stack declares, which it names: 409", async () => {
    const id = await database.addTenant("of-a-stack", { owner: "acme/web/prod::of-a-stack" });
    const { status, body } = await patch(await startIdle(), id, { name: "A" });
    expect(status).toBe(409);
    expect(body.message).toContain("acme/web/prod::of-a-stack");
  });

  test.each(["a stack's", "this service's"])(
    "for a slug that is %s tenant's: 409",
    async (whose) => {
      const { service } = await start();
      const id = await setUp(service, `wants-${whose.slice(0, 1)}`);
      const slug = `held-${whose.slice(0, 1)}`;
      if (whose === "a stack's") await database.addTenant(slug);
      else await setUp(service, slug);
      const { status, body } = await patch(service, id, { slug });
      expect(status).toBe(409);
      expect(body).toMatchObject({ code: "TENANT_CONFLICT", message: `The slug ${slug} is taken` });
    },
  );

  test("while another operation of the tenant is under way, which it names: 409", async () => {
    const { service } = await start();
    const id = await setUp(service, "busy");
    await service.close();
    const idle = await startIdle();
    const first = await patch(idle, id, { name: "First" }, { Prefer: "respond-async" });
    expect(first.status).toBe(202);
    const second = await patch(idle, id, { name: "Second" });
    expect(second.status).toBe(409);
    expect(second.body.code).toBe("TENANT_BUSY");
    expect(second.body.message).toContain(first.body.id);
  });
});

test("a tenant whose caller was answered can be changed at once, though its state is still being saved", async () => {
  let saved: () => void = () => undefined;
  const saving = new Promise<void>((resolve) => (saved = resolve));
  const { service, runs } = await start(async (tenant, onStep) => {
    const outcome = await apply(tenant);
    onStep({ step: "membership", status: "succeeded" });
    if (tenant.name !== "At once") await saving;
    return outcome;
  });
  const id = await setUp(service, "unsaved");
  const accepted = await patch(service, id, { name: "At once" }, { Prefer: "respond-async" });
  expect(accepted.status).toBe(202);
  // Only one may wait: the next is refused until this one is applied.
  expect((await patch(service, id, { name: "Too soon" })).body.code).toBe("TENANT_BUSY");
  // It waits for the run before it: two runs of one stack would be in each other's way.
  expect(runs.asked.filter((asked) => asked.id === id)).toHaveLength(1);
  saved();
  const ended = async () =>
    (await database.sql("select status from public.operations where tenant_id = $1", [id])).every(
      ({ status }) => status === "succeeded",
    ) || undefined;
  await eventually(ended);
  expect(await tenantRow(id)).toMatchObject({ name: "At once" });
});

test.each<RunOutcome>([
  { result: "refused", faults: ["DATA_GONE"] },
  { result: "failed", faults: ["the state could not be saved"] },
  { result: "locked", faults: ["by another run"] },
])(
  "an operation whose caller was answered never fails, whatever its state's saving meets: $result",
  async (outcome) => {
    let tries = 0;
    const { service } = await start(async (tenant, onStep) => {
      if (++tries > 1) return tries < 4 ? outcome : { result: "succeeded" };
      await apply(tenant);
      onStep({ step: "membership", status: "succeeded" });
      return outcome;
    });
    const id = await setUp(service, `answered-${outcome.result}`);
    const ended = async () => {
      const [row] = await database.sql<{ status: string }>(
        "select status from public.operations where tenant_id = $1 and finished_at is not null",
        [id],
      );
      return row;
    };
    expect(await eventually(ended)).toEqual({ status: "succeeded" });
  },
);

test("an operation tells its kind, its tenant and its steps", async () => {
  const { service } = await start();
  const id = await setUp(service, "told");
  const accepted = await patch(service, id, { name: "Told" }, { Prefer: "respond-async" });
  expect(accepted.body).toMatchObject({ kind: "change", tenantId: id, slug: "told" });
  expect(accepted.body.steps).toEqual([
    { name: "record", status: "pending" },
    { name: "membership", status: "pending" },
  ]);
});

test("a key gives the same change again, and stands for no other tenant's", async () => {
  const { service, runs } = await start();
  const [id, other] = [await setUp(service, "keyed"), await setUp(service, "keyed-other")];
  const key = { "Idempotency-Key": "change-1" };
  const first = await patch(service, id, { name: "Keyed" }, key);
  const second = await patch(service, id, { name: "Keyed" }, key);
  expect([first.status, second.status]).toEqual([200, 200]);
  expect(second.body).toEqual(first.body);
  expect(runs.asked.filter((asked) => asked.id === id)).toHaveLength(2);
  expect((await patch(service, other, { name: "Keyed" }, key)).status).toBe(422);
});

test("a slug that somebody takes while the engine runs is given up: the old one is wanted again", async () => {
  const { service } = await start(async (tenant) => {
    if (tenant.slug !== "overtaken") return apply(tenant);
    await database.addTenant("overtaken");
    return { result: "failed", faults: ["step record: the slug is taken"] };
  });
  const id = await setUp(service, "overtaking");
  const answer = await patch(service, id, { slug: "overtaken" });
  expect(answer.status).toBe(409);
  expect((await patch(service, id, { name: "Still here" })).body).toMatchObject({
    slug: "overtaking",
    name: "Still here",
  });
});

test("a set-up whose slug somebody takes meanwhile is forgotten, with its stack", async () => {
  const { service } = await start(async ({ id, slug }) => {
    await database.sql("insert into public.service_stacks (name, status) values ('mine', 'taken')");
    await database.sql("update public.service_tenants set stack = 'mine' where id = $1", [id]);
    await database.addTenant(slug);
    return { result: "failed", faults: ["step record: the slug is taken"] };
  });
  const { status } = await postSetUp(service.url, setter, tenantBody({ slug: "lost" }));
  expect(status).toBe(409);
  const left = await database.sql("select from public.service_tenants where slug = 'lost'");
  expect(left).toEqual([]);
  expect(
    await database.sql("select status from public.service_stacks where name = 'mine'"),
  ).toEqual([{ status: "removing" }]);
});

test("of many changes of one tenant at once each is made or refused, and the last made is what is", async () => {
  const { service } = await start();
  const id = await setUp(service, "raced");
  const names = Array.from({ length: 20 }, (_, n) => `Name ${n}`);
  const answers = await Promise.all(names.map((name) => patch(service, id, { name })));
  const statuses = new Set(answers.map(({ status }) => status));
  expect([...statuses].filter((status) => status !== 200 && status !== 409)).toEqual([]);
  const made = answers.filter(({ status }) => status === 200).map(({ body }) => body.name);
  expect(made.length).toBeGreaterThan(0);
  const row = await tenantRow(id);
  expect(made).toContain(row?.name);
});

test("history goes when it is old, and the keys that stand for it; what is alive or new stays", async () => {
  const { service } = await start();
  const headers = { "Idempotency-Key": "old-key" };
  const old = await send(`${service.url}/api/tenant/setup`, {
    ...{ method: "POST", token: setter, headers, body: tenantBody({ slug: "old-history" }) },
  });
  await setUp(service, "new-history");
  await database.sql(
    `update public.operations set finished_at = now() - interval '91 days'
    where tenant_id = $1 or status = 'queued'`,
    [old.body.id],
  );
  expect(await deleteOld(database.handle.query, 90)).toBe(1);
  const slugs = await database.sql<{ slug: string }>(
    "select slug from public.operations where slug like '%-history'",
  );
  expect(slugs).toEqual([{ slug: "new-history" }]);
  expect(await database.sql("select from public.idempotency_keys where key = 'old-key'")).toEqual(
    [],
  );
  expect(await tenantRow(old.body.id ?? "")).toMatchObject({ slug: "old-history" });
});

test("no operation keeps a password's hash; a key does, as long as it is known", async () => {
  const { service } = await start();
  const headers = { "Idempotency-Key": "hash-key" };
  await send(`${service.url}/api/tenant/setup`, {
    ...{ method: "POST", token: setter, headers, body: tenantBody({ slug: "hashed" }) },
  });
  const operations = await database.sql(
    "select to_jsonb(o)::text as text from public.operations o",
  );
  expect(JSON.stringify(operations)).not.toContain("$argon2");
  const keys =
    "select password_hash is not null as hashed from public.idempotency_keys where key = $1";
  expect(await database.sql(keys, ["hash-key"])).toEqual([{ hashed: true }]);
  await database.sql("update public.idempotency_keys set created_at = now() - interval '25 hours'");
  await forgetOldKeys(database.handle.query);
  expect(await database.sql(keys, ["hash-key"])).toEqual([]);
});
