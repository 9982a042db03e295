import { randomUUID } from "node:crypto";
import type { RunOutcome } from "../../../service/pulumi/engine-runs";
import { FakeEngineRuns, startService, type AskedTenant } from "../../support/service-app";
import { eventually } from "../../support/killable-service";
import { postSetUp, send, tenantBody } from "../../support/service-client";
import { ownedByService, useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

const database = useServiceDatabase();
const succeeded: RunOutcome = { result: "succeeded" };
let token: string;
let base: string;
/** What the next run does instead of what an engine would do. */
let does: ((tenant: AskedTenant) => Promise<RunOutcome>) | undefined;
const runs = new FakeEngineRuns(
  async (tenant) => {
    if (does !== undefined) return does(tenant);
    if (tenant.adopt === true) await take(tenant.id, ownedByService(tenant.id));
    return database.apply(tenant);
  },
  // The end of a tenant that was declared with leave to let it go.
  async (id) => {
    await database.sql("update public.tenants set owner = null where id = $1", [id]);
    return succeeded;
  },
);

beforeAll(async () => {
  token = await signed({ expiresIn: 600, claims: { sub: "operator", role: "SUPER_ADMIN" } });
  const service = await startService(database.handle, runs);
  base = service.url;
  closers.push(() => service.close());
});
const closers: (() => Promise<void>)[] = [];
// Before the database's own, which drops it.
afterAll(() => Promise.all(closers.map((close) => close())));
beforeEach(() => (does = undefined));

const take = (id: string, owner: string) =>
  database.sql("update public.tenants set owner = $2 where id = $1 and owner is null", [id, owner]);

async function made(slug: string): Promise<string> {
  const { status, body } = await postSetUp(base, token, tenantBody({ slug }));
  expect({ status, body }).toMatchObject({ status: 201 });
  return body.id ?? "";
}

const post = (place: string, body?: unknown, { as = token, headers = {} } = {}) =>
  send(`${base}/api/tenant/${place}`, { method: "POST", token: as, body, headers });
const wanted = (id: string) =>
  database.sql("select status, released from public.service_tenants where id = $1", [id]);

/** A tenant that nobody owns. */
async function nobodys(slug: string, status = "active"): Promise<string> {
  const id = await database.addTenant(slug, { status });
  await database.sql("update public.tenants set owner = null where id = $1", [id]);
  return id;
}

describe("release", () => {
  test("declares the tenant with leave to go, leaves it out, and forgets it", async () => {
    const [id, bystander] = [await made("released"), await made("not-released")];
    const released = await post(`${id}/release`);
    expect(released).toMatchObject({ status: 200, body: { id, managedBy: null } });
    expect(runs.asked.at(-1)).toMatchObject({ id, release: true, suspended: false, generation: 2 });
    expect(await wanted(id)).toEqual([]);
    expect(await wanted(bystander)).toEqual([{ status: "active", released: false }]);
    expect((await post(`${id}/release`)).status).toBe(409);
  });

  test("with the same key is done once", async () => {
    const id = await made("once");
    const headers = { "Idempotency-Key": randomUUID() };
    const first = await post(`${id}/release`, {}, { headers });
    expect(await post(`${id}/release`, {}, { headers })).toMatchObject({
      status: 200,
      body: first.body,
    });
    const operations = await database.sql(
      "select from public.operations where tenant_id = $1 and kind = 'release'",
      [id],
    );
    expect(operations).toHaveLength(1);
  });

  test("that failed half way is taken back by the next verb, or sent again", async () => {
    const id = await made("half-way");
    does = () => Promise.resolve({ result: "failed", faults: ["no"] });
    expect((await post(`${id}/release`)).status).toBe(500);
    expect(await wanted(id)).toEqual([{ status: "active", released: true }]);
    does = undefined;
    expect((await post(`${id}/suspend`)).body).toMatchObject({ status: "suspended" });
    expect(await wanted(id)).toEqual([{ status: "suspended", released: false }]);
    expect((await post(`${id}/release`)).body).toMatchObject({ status: "suspended" });
    expect(await wanted(id)).toEqual([]);
  });

  test("is for who may update tenants, and for tenants of the service", async () => {
    const id = await made("permitted");
    const viewer = await signed({
      expiresIn: 60,
      claims: { sub: "v", permissions: ["CREATE_TENANT"] },
    });
    expect((await post(`${id}/release`, {}, { as: viewer })).status).toBe(403);
    const theirs = await database.addTenant("of-a-stack");
    const refused = await post(`${theirs}/release`);
    expect(refused).toMatchObject({ status: 409, body: { code: "TENANT_CONFLICT" } });
    expect(refused.body.message).toContain("somebody/else/s::x");
    expect((await post(`${randomUUID()}/release`)).status).toBe(404);
  });
});

describe("adopt", () => {
  test.each(["id", "slug"])("finds a tenant by its %s, and declares it as it is", async (by) => {
    const slug = `adopted-by-${by}`;
    const id = await nobodys(slug, "suspended");
    await database.sql("update public.tenants set generation = 6 where id = $1", [id]);
    const adopted = await post("adopt", by === "id" ? { id } : { slug });
    expect(adopted).toMatchObject({
      status: 200,
      body: { id, slug, status: "suspended", managedBy: "service" },
    });
    expect(runs.asked.at(-1)).toMatchObject({
      ...{ id, slug, name: "Acme Corp", adopt: true, suspended: true, generation: 8 },
      ...{ adminEmail: "ana@acme.example", adminFirstName: "Ana", adminLastName: "Diaz" },
    });
    expect(runs.asked.at(-1)).not.toHaveProperty("adminPassword");
  });

  test("keeps a deleted tenant deleted, for as long as any other", async () => {
    const id = await nobodys("was-deleted", "deleted");
    expect((await post("adopt", { slug: "was-deleted" })).status).toBe(404);
    const { body } = await post("adopt", { id });
    expect(body).toMatchObject({ status: "deleted" });
    expect(Date.parse(String(body.purgeAt))).toBeGreaterThan(Date.now() + 29 * 86_400_000);
  });

  test("refuses a tenant that has an owner, and names it", async () => {
    const theirs = await database.addTenant("owned");
    const refused = await post("adopt", { id: theirs });
    expect(refused).toMatchObject({ status: 409, body: { code: "TENANT_CONFLICT" } });
    expect(refused.body.message).toContain("somebody/else/s::x");
    const own = await post("adopt", { id: await made("own") });
    expect(own).toMatchObject({ status: 409 });
    expect(own.body.message).toContain("by this service");
  });

  test("refuses what is not there, what cannot be declared, and who may not", async () => {
    expect((await post("adopt", { id: randomUUID() })).status).toBe(404);
    expect((await post("adopt", { slug: "nowhere" })).status).toBe(404);
    expect((await post("adopt", {})).status).toBe(400);
    expect((await post("adopt", { id: randomUUID(), slug: "both" })).status).toBe(400);
    const id = await nobodys("without-admin", "provisioning");
    await database.sql("update public.tenants set admin_user_id = null where id = $1", [id]);
    expect((await post("adopt", { id })).body.message).toContain("has no admin");
    expect((await post("adopt", { id: await nobodys("docs") })).body.message).toContain(
      "slug is a",
    );
    const creator = await signed({
      expiresIn: 60,
      claims: { sub: "c", permissions: ["CREATE_TENANT"] },
    });
    expect((await post("adopt", { id }, { as: creator })).status).toBe(403);
  });

  test("refuses a slug for which a set-up was accepted that has no row yet", async () => {
    const id = await nobodys("promised");
    await database.addWanted("promised");
    expect(await post("adopt", { id })).toMatchObject({
      ...{ status: 409, body: { code: "TENANT_CONFLICT", message: "The slug promised is taken" } },
    });
    expect(await wanted(id)).toEqual([]);
  });

  test("that a stack was faster than ends in a conflict that names it, and is forgotten", async () => {
    const id = await nobodys("contested");
    does = async () => {
      await take(id, "o/p/faster::x");
      return { result: "failed", faults: ["slug contested is taken"] };
    };
    const refused = await post("adopt", { id });
    expect(refused).toMatchObject({ status: 409 });
    expect(refused.body.message).toContain("o/p/faster::x");
    expect(await wanted(id)).toEqual([]);
  });

  test("that failed half way goes on when it is sent again", async () => {
    const id = await nobodys("again");
    does = async () => {
      await take(id, ownedByService(id));
      return { result: "failed", faults: ["no"] };
    };
    expect((await post("adopt", { id })).status).toBe(500);
    does = undefined;
    expect(await post("adopt", { id })).toMatchObject({
      status: 200,
      body: { managedBy: "service" },
    });
  });

  test("refuses a tenant that is at work, and names the operation", async () => {
    const [id, bystander] = [await nobodys("at-work"), await nobodys("idle")];
    let goOn: () => void = () => undefined;
    const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
    does = async (tenant) => {
      await mayGoOn;
      await take(tenant.id, ownedByService(tenant.id));
      return database.apply(tenant);
    };
    const first = post("adopt", { id });
    const operation = await eventually(async () => {
      const [row] = await database.sql<{ id: string }>(
        "select id from public.operations where tenant_id = $1",
        [id],
      );
      return row?.id;
    });
    const second = await post("adopt", { id });
    goOn();
    expect((await first).status).toBe(200);
    expect(second).toMatchObject({
      status: 409,
      body: {
        code: "TENANT_BUSY",
        message: `Operation ${operation} (adopt) of the tenant is under way`,
      },
    });
    expect((await post("adopt", { id: bystander })).status).toBe(200);
  });

  test("of ten at once, one adopts the tenant", async () => {
    const id = await nobodys("wanted-by-ten");
    const answers = await Promise.all(Array.from({ length: 10 }, () => post("adopt", { id })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(9);
  });
});
