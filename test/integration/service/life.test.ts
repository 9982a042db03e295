import type { Query } from "../../../service/database/database";
import { kinds } from "../../../service/operations/kinds";
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
} from "../../support/service-app";
import { postSetUp, send, tenantBody, type Answer } from "../../support/service-client";
import { ownedByService, useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

const database = useServiceDatabase();
const services: ServiceApp[] = [];
let token: string;

beforeAll(async () => {
  token = await signed({ expiresIn: 600, claims: { sub: "operator", role: "SUPER_ADMIN" } });
});
afterEach(() => Promise.all(services.splice(0).map((service) => service.close())));

type Run = (tenant: AskedTenant, onStep: OnStep) => Promise<RunOutcome>;
type End = (tenantId: string, onStep: OnStep) => Promise<RunOutcome>;

async function start(run: Run = database.apply, end: End = database.end) {
  const runs = new FakeEngineRuns(run, end);
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

async function setUp({ url }: ServiceApp, slug: string): Promise<string> {
  const { status, body } = await postSetUp(url, token, tenantBody({ slug }));
  expect({ status, body }).toMatchObject({ status: 201 });
  return body.id ?? "";
}

type Verb = "suspend" | "resume" | "DELETE" | "restore" | "purge" | "PATCH";

interface Sent {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly as?: string;
}

/** Sends a verb; without a body where none is given. */
function ask(
  { url }: ServiceApp,
  id: string,
  verb: Verb,
  { body, headers = {}, as = token }: Sent = {},
): Promise<Answer> {
  const isMethod = verb === "DELETE" || verb === "PATCH";
  const method = isMethod ? verb : "POST";
  const address = `${url}/api/tenant/${id}${isMethod ? "" : `/${verb}`}`;
  return send(address, { method, token: as, body, headers });
}

const view = ({ url }: ServiceApp, id: string) => send(`${url}/api/tenant/${id}`, { token });

const wanted = async (id: string) =>
  (
    await database.sql<{ status: string; generation: number }>(
      "select status, generation::int from public.service_tenants where id = $1",
      [id],
    )
  )[0];

const operationsOf = (id: string) =>
  database.sql<{ kind: string; status: string }>(
    "select kind, status from public.operations where tenant_id = $1 order by created_at",
    [id],
  );

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as unknown;

describe("suspend and resume", () => {
  test("a tenant that is suspended shows since when, and is active again when it is resumed", async () => {
    const { service, runs } = await start();
    const id = await setUp(service, "suspended");
    const bystander = await setUp(service, "not-suspended");
    const suspended = await ask(service, id, "suspend", { body: { reason: "not paid" } });
    expect(suspended).toMatchObject({ status: 200, body: { id, status: "suspended" } });
    expect(suspended.body.suspendedAt).toEqual(time);
    expect((await view(service, id)).body).toEqual(suspended.body);
    expect((await view(service, bystander)).body).toMatchObject({ status: "active" });
    const asked = await send(`${service.url}/api/operations?tenantId=${id}&kind=suspend`, {
      token,
    });
    expect(asked.body.data).toMatchObject([{ kind: "suspend", reason: "not paid" }]);
    expect(runs.asked.at(-1)).toMatchObject({ id, suspended: true, generation: 2 });
    const resumed = await ask(service, id, "resume");
    expect(resumed).toMatchObject({ status: 200, body: { status: "active", suspendedAt: null } });
    expect(await wanted(id)).toEqual({ status: "active", generation: 3 });
  });

  test("what is so already is answered without an operation", async () => {
    const { service } = await start();
    const id = await setUp(service, "twice");
    expect(await ask(service, id, "resume")).toMatchObject({ status: 200 });
    await ask(service, id, "suspend");
    const again = await ask(service, id, "suspend");
    expect(again).toMatchObject({ status: 200, body: { status: "suspended" } });
    expect((await operationsOf(id)).map(({ kind }) => kind)).toEqual(["setup", "suspend"]);
    expect(await wanted(id)).toMatchObject({ generation: 2 });
  });

  test("a suspended tenant keeps its status when its name changes", async () => {
    const { service } = await start();
    const id = await setUp(service, "renamed");
    await ask(service, id, "suspend");
    const renamed = await ask(service, id, "PATCH", { body: { name: "Renamed" } });
    expect(renamed.body).toMatchObject({ name: "Renamed", status: "suspended" });
  });
});

describe("delete and restore", () => {
  test("a deleted tenant says when it will be purged, keeps its row, and is as it was when it is restored", async () => {
    const { service } = await start();
    const id = await setUp(service, "deleted");
    const deleted = await ask(service, id, "DELETE");
    expect(deleted).toMatchObject({
      status: 200,
      body: { id, slug: "deleted", status: "deleted" },
    });
    expect(deleted.body).toMatchObject({ deletedAt: time, purgeAt: time, managedBy: "service" });
    const [of, until] = [deleted.body.deletedAt, deleted.body.purgeAt].map((at) =>
      Date.parse(String(at)),
    );
    expect(Math.round(((until ?? 0) - (of ?? 0)) / 86_400_000)).toBe(30);
    expect((await ask(service, id, "DELETE")).body).toEqual(deleted.body);
    const restored = await ask(service, id, "restore");
    expect(restored).toMatchObject({ status: 200, body: { status: "active", deletedAt: null } });
    expect(restored.body.purgeAt).toBeNull();
    expect(await wanted(id)).toEqual({ status: "active", generation: 3 });
  });

  test("one that was suspended is suspended again", async () => {
    const { service } = await start();
    const id = await setUp(service, "both");
    await ask(service, id, "suspend");
    await ask(service, id, "DELETE");
    expect((await ask(service, id, "restore")).body).toMatchObject({ status: "suspended" });
  });

  test("its slug is free at once, for a new tenant; a restoration then needs another one", async () => {
    const { service } = await start();
    const id = await setUp(service, "reused");
    await ask(service, id, "DELETE");
    const other = await setUp(service, "reused");
    expect(other).not.toBe(id);
    const refused = await ask(service, id, "restore");
    expect(refused).toMatchObject({ status: 409, body: { code: "TENANT_CONFLICT" } });
    const restored = await ask(service, id, "restore", { body: { slug: "reused-first" } });
    expect(restored.body).toMatchObject({ id, slug: "reused-first", status: "active" });
    expect((await view(service, other)).body).toMatchObject({ slug: "reused", status: "active" });
  });

  test("a slug that somebody takes while it is restored: 409, and it stays deleted", async () => {
    const { service } = await start(async (tenant) => {
      if (tenant.generation !== 3) return database.apply(tenant);
      await database.addTenant("raced-for");
      return { result: "failed", faults: ["step record: the slug is taken"] };
    });
    const id = await setUp(service, "raced-for");
    const { body } = await ask(service, id, "DELETE");
    expect(await ask(service, id, "restore")).toMatchObject({ status: 409 });
    expect((await view(service, id)).body).toMatchObject({
      status: "deleted",
      purgeAt: body.purgeAt,
    });
    expect(await wanted(id)).toMatchObject({ status: "deleted" });
  });

  test("a restoration that failed goes on when it is sent again", async () => {
    let tries = 0;
    const { service } = await start((tenant) =>
      (tenant.generation ?? 0) < 3 || ++tries > 1
        ? database.apply(tenant)
        : Promise.resolve({ result: "failed", faults: ["a migration"] } as const),
    );
    const id = await setUp(service, "again");
    await ask(service, id, "DELETE");
    expect((await ask(service, id, "restore")).status).toBe(500);
    expect((await view(service, id)).body).toMatchObject({ status: "deleted" });
    expect((await ask(service, id, "restore")).body).toMatchObject({ status: "active" });
  });
});

describe("purge", () => {
  test("leaves nothing of the tenant but its operations; a second one is 404", async () => {
    const { service, runs } = await start();
    const id = await setUp(service, "purged");
    const bystander = await setUp(service, "not-purged");
    await database.sql("insert into public.service_stacks (name, status) values ('its', 'taken')");
    await database.sql("update public.service_tenants set stack = 'its' where id = $1", [id]);
    await ask(service, id, "DELETE");
    const purged = await ask(service, id, "purge", { body: { slug: "purged" } });
    expect(purged).toMatchObject({ status: 204, body: {} });
    // First the data may be destroyed, then the tenant is left out.
    expect(runs.asked.at(-1)).toMatchObject({ id, deleted: true, forceDestroy: true });
    expect((await view(service, id)).status).toBe(404);
    expect(await wanted(id)).toBeUndefined();
    expect(
      await database.sql("select status from public.service_stacks where name = 'its'"),
    ).toEqual([{ status: "removing" }]);
    expect((await operationsOf(id)).map(({ kind }) => kind)).toEqual(["setup", "delete", "purge"]);
    expect((await ask(service, id, "purge", { body: { slug: "purged" } })).status).toBe(404);
    expect((await view(service, bystander)).body).toMatchObject({ status: "active" });
  });

  test("asks for the tenant's slug, and purges nothing by another one", async () => {
    const { service } = await start();
    const id = await setUp(service, "sure");
    await ask(service, id, "DELETE");
    expect(await ask(service, id, "purge")).toMatchObject({
      status: 400,
      body: { details: [{ path: "slug", message: "is missing" }] },
    });
    const wrong = await ask(service, id, "purge", { body: { slug: "unsure" } });
    expect(wrong).toMatchObject({ status: 409 });
    expect(wrong.body.message).toContain("nothing was purged");
    expect((await view(service, id)).body).toMatchObject({ status: "deleted" });
  });

  test("of a tenant that is in use from outside fails, names what uses it, and can be restored", async () => {
    const words =
      "step membership: SchemaInUseError: schema tenant_x is in use from outside by view public.report: drop that first";
    const { service } = await start(database.apply, () =>
      Promise.resolve({ result: "failed", faults: [words] }),
    );
    const id = await setUp(service, "in-use");
    const { body } = await ask(service, id, "DELETE");
    const refused = await ask(service, id, "purge", { body: { slug: "in-use" } });
    expect(refused).toMatchObject({ status: 409, body: { code: "TENANT_CONFLICT" } });
    expect(refused.body.message).toContain("view public.report");
    expect((await view(service, id)).body).toMatchObject({
      status: "deleted",
      purgeAt: body.purgeAt,
    });
    expect(service.log.join()).toContain("view public.report");
    expect((await ask(service, id, "restore")).body).toMatchObject({ status: "active" });
  });

  test.each(["first", "second"])(
    "that stops after its %s run is finished by the next try",
    async (which) => {
      let cut = true;
      const { service } = await start(
        async (tenant) => {
          const outcome = await database.apply(tenant);
          if (which === "second" || tenant.forceDestroy !== true || !cut) return outcome;
          cut = false;
          return { result: "interrupted", faults: ["killed"] };
        },
        async (id) => {
          const outcome = await database.end(id);
          if (which === "first" || !cut) return outcome;
          cut = false;
          return { result: "interrupted", faults: ["killed"] };
        },
      );
      const id = await setUp(service, `cut-${which}`);
      await ask(service, id, "DELETE");
      const purged = await ask(service, id, "purge", { body: { slug: `cut-${which}` } });
      expect(purged.status).toBe(204);
      expect(cut).toBe(false);
      expect(await wanted(id)).toBeUndefined();
    },
  );

  test("that failed half way goes on when it is sent again, and nothing else is possible till then", async () => {
    let fails = true;
    const { service } = await start(database.apply, (id) =>
      fails ? Promise.resolve({ result: "failed", faults: ["out of locks"] }) : database.end(id),
    );
    const id = await setUp(service, "half");
    await ask(service, id, "DELETE");
    expect((await ask(service, id, "purge", { body: { slug: "half" } })).status).toBe(500);
    const restored = await ask(service, id, "restore");
    expect(restored).toMatchObject({ status: 409 });
    expect(restored.body.message).toContain("being purged");
    expect((await ask(service, id, "DELETE")).status).toBe(409);
    fails = false;
    expect((await ask(service, id, "purge", { body: { slug: "half" } })).status).toBe(204);
  });
});

test("a verb that comes while a restoration ends is refused for that, not as if nothing were set up", async () => {
  const id = await database.addWanted("ending");
  await database.addTenant("ending", { id, status: "provisioning", owner: ownedByService(id) });
  await database.sql(
    `insert into public.operations (id, kind, tenant_id, slug, request, status)
    values (gen_random_uuid(), 'restore', $1, 'ending', '{}', 'running')`,
    [id],
  );
  const end = async () => {
    await database.sql("update public.tenants set status = 'active' where id = $1", [id]);
    await database.sql("update public.operations set applied_at = now() where tenant_id = $1", [
      id,
    ]);
  };
  const asked = { request: {}, asker: { subject: null, isSuperAdmin: true }, tenantId: id };
  const accepted = database.handle.transaction((query) => {
    const slowly: Query = async (statement, values) => {
      const rows = await query(statement, values);
      if (statement.includes("from public.tenants t ")) await end();
      return rows as never;
    };
    return kinds.delete.want(slowly, asked, { passwordHash: undefined, purgeAfterDays: 30 });
  });
  await expect(accepted).rejects.toMatchObject({ code: "TENANT_BUSY" });
  await database.sql("delete from public.operations where tenant_id = $1", [id]);
});

describe("every verb", () => {
  const verbs: readonly Verb[] = ["suspend", "resume", "DELETE", "restore", "purge"];
  const unknown = "660e8400-e29b-41d4-a716-446655440000";
  const needed = {
    ...{ suspend: "UPDATE_TENANT", resume: "UPDATE_TENANT", PATCH: "UPDATE_TENANT" },
    ...{ DELETE: "DELETE_TENANT", restore: "DELETE_TENANT", purge: "PURGE_TENANT" },
  };
  const bodyOf = (verb: Verb, slug = "some-slug") => (verb === "purge" ? { body: { slug } } : {});

  test.each(verbs)("%s of an id that no tenant has: 404", async (verb) => {
    const answer = await ask(await startIdle(), unknown, verb, bodyOf(verb));
    expect(answer).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
  });

  test.each(verbs)("%s of a tenant of a stack, which it names: 409", async (verb) => {
    const slug = `of-a-stack-${verb.toLowerCase()}`;
    const id = await database.addTenant(slug, { owner: `acme/web/prod::${slug}` });
    const answer = await ask(await startIdle(), id, verb, bodyOf(verb, slug));
    expect(answer.status).toBe(409);
    expect(answer.body.message).toContain(`acme/web/prod::${slug}: change it there`);
  });

  test.each(verbs)("%s needs its permission, and no other will do", async (verb) => {
    const others = ["CREATE_TENANT", "VIEW_TENANTS", ...Object.values(needed)].filter(
      (permission) => permission !== needed[verb],
    );
    const idle = await startIdle();
    const statusWith = async (permissions: string[]) => {
      const as = await signed({ claims: { sub: "somebody", permissions } });
      return (await ask(idle, unknown, verb, { ...bodyOf(verb), as })).status;
    };
    expect(await statusWith(others)).toBe(403);
    expect(await statusWith([needed[verb]])).toBe(404);
  });

  test.each(verbs)("%s with a field that it does not know: 400", async (verb) => {
    const body = { slug: "some-slug", status: "active" };
    expect((await ask(await startIdle(), unknown, verb, { body })).status).toBe(400);
  });

  test.each(verbs)("%s while another operation is under way, which it names: 409", async (verb) => {
    const { service } = await start();
    const slug = `busy-${verb.toLowerCase()}`;
    const id = await setUp(service, slug);
    if (verb === "restore" || verb === "purge") await ask(service, id, "DELETE");
    await service.close();
    const idle = await startIdle();
    const isDeleted = verb === "restore" || verb === "purge";
    const first = await ask(idle, id, isDeleted ? "restore" : "PATCH", {
      body: isDeleted ? {} : { name: "Busy" },
      headers: { Prefer: "respond-async" },
    });
    expect(first.status).toBe(202);
    const second = await ask(idle, id, verb, bodyOf(verb, slug));
    expect(second).toMatchObject({ status: 409, body: { code: "TENANT_BUSY" } });
    expect(second.body.message).toContain(first.body.id);
  });

  test.each<[Verb, string, readonly Verb[]]>([
    ["restore", "an active tenant", []],
    ["purge", "an active tenant", []],
    ["restore", "a suspended tenant", ["suspend"]],
    ["purge", "a suspended tenant", ["suspend"]],
    ["suspend", "a deleted tenant", ["DELETE"]],
    ["resume", "a deleted tenant", ["DELETE"]],
    ["PATCH", "a deleted tenant", ["DELETE"]],
  ])("%s is not possible for %s: 409", async (verb, _what, before) => {
    const { service } = await start();
    const slug = `not-${verb.toLowerCase()}-${before.join().toLowerCase()}x`;
    const id = await setUp(service, slug);
    for (const earlier of before) expect((await ask(service, id, earlier)).status).toBe(200);
    const body = verb === "PATCH" ? { name: "X" } : verb === "purge" ? { slug } : {};
    const answer = await ask(service, id, verb, { body });
    expect(answer).toMatchObject({ status: 409, body: { code: "TENANT_CONFLICT" } });
    expect(answer.body.message).toMatch(/^The tenant is (active|suspended|deleted): only one/);
  });

  test.each(["suspend", "resume", "DELETE"] as const)(
    "%s of a half-made tenant: 409",
    async (verb) => {
      const slug = `half-made-${verb.toLowerCase()}`;
      await database.addTenant(slug, {
        id: await database.addWanted(slug),
        status: "provisioning",
      });
      const [row] = await database.sql<{ id: string }>(
        "select id from public.service_tenants where slug = $1",
        [slug],
      );
      expect((await ask(await startIdle(), row?.id ?? "", verb)).status).toBe(409);
    },
  );

  test("is answered at once where that is preferred, and can be followed", async () => {
    const { service } = await start();
    const id = await setUp(service, "followed");
    const accepted = await ask(service, id, "suspend", { headers: { Prefer: "respond-async" } });
    expect(accepted).toMatchObject({ status: 202, body: { kind: "suspend", tenantId: id } });
    await eventually(async () => {
      const { body } = await send(`${service.url}${accepted.headers.get("Location") ?? ""}`, {
        token,
      });
      return body.status === "succeeded" ? true : undefined;
    });
    expect((await view(service, id)).body).toMatchObject({ status: "suspended" });
  });

  test("with a key is done once: the same answer, whatever became of the tenant meanwhile", async () => {
    const { service } = await start();
    const id = await setUp(service, "once");
    const headers = { "Idempotency-Key": "suspend-once" };
    await ask(service, id, "suspend", { headers });
    await ask(service, id, "resume");
    expect((await ask(service, id, "suspend", { headers })).status).toBe(200);
    expect((await view(service, id)).body).toMatchObject({ status: "active" });
  });

  test("with a key and nothing to do stands for that: sent late again, it does nothing either", async () => {
    const { service } = await start();
    const id = await setUp(service, "nothing");
    const headers = { "Idempotency-Key": "nothing-to-do" };
    const same = { body: { name: "Acme Corp" }, headers };
    expect((await ask(service, id, "PATCH", same)).status).toBe(200);
    await ask(service, id, "PATCH", { body: { name: "Newer" } });
    const late = await ask(service, id, "PATCH", same);
    expect(late).toMatchObject({ status: 200, body: { name: "Newer" } });
    const other = await ask(service, id, "PATCH", { body: { name: "Other" }, headers });
    expect(other).toMatchObject({ status: 422, body: { code: "KEY_REUSED" } });
  });
});

test("of fifty mixed verbs at once each is done or refused, and the end is that of the last one done", async () => {
  const { service } = await start();
  const id = await setUp(service, "mixed");
  const verbs: readonly Verb[] = ["suspend", "resume", "DELETE", "restore", "PATCH"];
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) => {
      const verb = verbs[n % verbs.length] ?? "PATCH";
      return ask(service, id, verb, verb === "PATCH" ? { body: { name: `Name ${n}` } } : {});
    }),
  );
  expect(answers.map(({ status }) => status).filter((s) => s !== 200 && s !== 409)).toEqual([]);
  const done = await database.sql<{ kind: string; started: Date; applied: Date; name: string }>(
    `select kind, started_at as started, applied_at as applied, request ->> 'name' as name
    from public.operations where tenant_id = $1 and status = 'succeeded' order by started_at`,
    [id],
  );
  expect(done.length).toBeGreaterThan(1);
  // One began only when the one before it was applied.
  for (const [n, { started }] of done.entries()) {
    expect(started.getTime()).toBeGreaterThanOrEqual(done[n - 1]?.applied.getTime() ?? 0);
  }
  // Played in that order against a model, they end at what there is.
  const model = { status: "active", name: "Acme Corp" };
  let restoresTo = "active";
  for (const { kind, name } of done.slice(1)) {
    if (kind === "change") model.name = name;
    if (kind === "delete") restoresTo = model.status;
    const next: Record<string, string> = {
      ...{ suspend: "suspended", resume: "active", delete: "deleted", restore: restoresTo },
    };
    model.status = next[kind] ?? model.status;
  }
  expect((await view(service, id)).body).toMatchObject(model);
});
