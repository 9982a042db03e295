import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { tenantMigrationsDir } from "../../../provider/database/migrations";
import { lookIfDue } from "../../../service/drift/look";
import { makeTenants } from "../../support/many-tenants";
import { FakeEngineRuns, startService, type ServiceApp } from "../../support/service-app";
import { send } from "../../support/service-client";
import { useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

const database = useServiceDatabase();
let service: ServiceApp;
let token: string;
let log: string[];

const parts = () => ({
  ...{ database: database.handle, migrationsDir: tenantMigrationsDir },
  ...{ productRoles: [], tenantRoles: false },
  log: pino({}, { write: (line: string) => void log.push(line) }),
});
/** What the schedule does each minute. */
const look = (everyS = 3_600) => lookIfDue({ ...parts(), everyS });
const forgetLooks = () => database.sql("delete from public.service_drift_looks");

beforeAll(async () => {
  service = await startService(database.handle, new FakeEngineRuns(database.apply, database.end));
  token = await signed({ expiresIn: 3_600, claims: { sub: "ana", role: "SUPER_ADMIN" } });
});
beforeEach(async () => {
  log = [];
  await forgetLooks();
  await database.sql("delete from public.service_drift");
});
afterAll(() => service.close());

/** A tenant that is as the service wants it. */
async function whole(): Promise<string> {
  const [tenant] = await makeTenants(database, 1);
  const { id = "", declared } = tenant ?? {};
  const stack = `tenant-${randomUUID().slice(0, 8)}`;
  await database.sql("insert into public.service_stacks (name, status) values ($1, 'taken')", [
    stack,
  ]);
  await database.sql(
    `insert into public.service_tenants (id, stack, spec)
    values ($1, $2, $3::jsonb || jsonb_build_object('adminPassword', '$argon2id$v=19$x'))`,
    [id, stack, JSON.stringify({ ...declared, adminFirstName: "Ana", adminLastName: "Diaz" })],
  );
  await database.sql("update public.tenants set owner = $2, generation = 1 where id = $1", [
    id,
    `organization/tenant-service/${stack}::${id}`,
  ]);
  return id;
}

const rename = (id: string, name = "Not this") =>
  database.sql("update public.tenants set name = $2 where id = $1", [id, name]);
const drift = async (id: string) =>
  (await send(`${service.url}/api/tenant/${id}/drift`, { token })).body;
const repair = (id: string) =>
  send(`${service.url}/api/tenant/${id}/repair`, { method: "POST", token });
const listed = async (query: string) => {
  const { status, body } = await send(`${service.url}/api/tenant?${query}`, { token });
  expect(status).toBe(200);
  return body as unknown as {
    data: { id: string }[];
    meta: { total: number; nextCursor: string | null };
  };
};
const operations = (id: string) =>
  database.sql("select kind, status from public.operations where tenant_id = $1", [id]);

const renamed = {
  facet: "row",
  expected: "name Acme Corp",
  found: "name Not this",
  repair: "engine",
};

test("a tenant that is as wanted has no drift, and its repair makes no operation", async () => {
  const id = await whole();
  expect(await drift(id)).toEqual({ drifted: false, facets: [] });
  const answer = await repair(id);
  expect(answer).toMatchObject({
    status: 200,
    body: { id, drift: { drifted: false, facets: [] } },
  });
  expect(await operations(id)).toEqual([]);
});

test("a repair brings a tenant to what is wanted, and the same key gives the same operation", async () => {
  const [id, bystander] = [await whole(), await whole()];
  await rename(id);
  await rename(bystander);
  expect(await drift(id)).toEqual({ drifted: true, facets: [renamed] });
  const ask = () =>
    send(`${service.url}/api/tenant/${id}/repair`, {
      ...{ method: "POST", token, headers: { "Idempotency-Key": `repair-${id}` } },
    });
  expect(await ask()).toMatchObject({
    ...{ status: 200, body: { id, name: "Acme Corp", drift: { drifted: false } } },
  });
  expect((await ask()).status).toBe(200);
  expect(await operations(id)).toEqual([{ kind: "repair", status: "succeeded" }]);
  expect(await drift(bystander)).toMatchObject({ drifted: true });
});

test("what no run repairs is told, and left, without an operation", async () => {
  const id = await whole();
  await database.sql(`alter table "tenant_${id}".commerces drop column name`);
  const facets = [
    {
      ...{ facet: "fingerprint", expected: expect.any(String) as string },
      found: expect.any(String) as string,
      repair: expect.stringMatching(
        /^tables are not repaired: .*lacks column commerces.name/,
      ) as string,
    },
  ];
  expect(await drift(id)).toEqual({ drifted: true, facets });
  const answer = await repair(id);
  expect(answer).toMatchObject({ status: 200, body: { drift: { drifted: true, facets } } });
  expect(await operations(id)).toEqual([]);
});

test("what a stack declares is told without its declaration, and repaired there", async () => {
  const [tenant] = await makeTenants(database, 1);
  const id = tenant?.id ?? "";
  await rename(id);
  expect(await drift(id)).toEqual({ drifted: false, facets: [] });
  await database.sql(`drop schema "tenant_${id}" cascade`);
  expect(await drift(id)).toMatchObject({ drifted: true, facets: [{ facet: "schema" }] });
  expect(await repair(id)).toMatchObject({
    ...{ status: 409, body: { code: "TENANT_CONFLICT" } },
  });
  expect((await send(`${service.url}/api/tenant/${randomUUID()}/drift`, { token })).status).toBe(
    404,
  );
  expect((await repair(randomUUID())).status).toBe(404);
});

test("while an operation of it is under way, a tenant is not counted, and cannot be repaired", async () => {
  const id = await whole();
  await rename(id);
  const operation = randomUUID();
  await database.sql(
    "insert into public.operations (id, kind, tenant_id, slug, request) values ($1, 'suspend', $2, 'x', '{}')",
    [operation, id],
  );
  expect(await drift(id)).toEqual({ drifted: false, facets: [] });
  await look();
  expect(await listed("drifted=true&limit=100")).toMatchObject({
    meta: { total: expect.any(Number) as number },
  });
  const kept = await database.sql("select from public.service_drift where tenant_id = $1", [id]);
  expect(kept).toEqual([]);
  expect(await repair(id)).toMatchObject({ status: 409, body: { code: "TENANT_BUSY" } });
  await database.sql("delete from public.operations where id = $1", [operation]);
});

test("the scheduled look lists who differs, page by page, whatever their status, and forgets who is whole again or gone", async () => {
  const [one, two, hidden, good] = [await whole(), await whole(), await whole(), await whole()];
  for (const id of [one, two]) await rename(id);
  await database.sql("update public.tenants set status = 'provisioning' where id = $1", [hidden]);
  const gone = randomUUID();
  await database.sql("insert into public.service_drift (tenant_id, facets) values ($1, '[{}]')", [
    gone,
  ]);
  await look();
  const ids: string[] = [];
  let query = "drifted=true&limit=1";
  for (;;) {
    const { data, meta } = await listed(query);
    ids.push(...data.map(({ id }) => id));
    if (meta.nextCursor === null) break;
    query = `drifted=true&limit=1&cursor=${meta.nextCursor}`;
  }
  expect(ids).toEqual(expect.arrayContaining([one, two, hidden]));
  expect(ids).not.toContain(good);
  expect((await listed("drifted=false&limit=100")).data.map(({ id }) => id)).toContain(good);
  expect(
    (await listed("drifted=true&status=active&limit=100")).data.map(({ id }) => id),
  ).not.toContain(hidden);
  const lines = log.map((line) => JSON.parse(line) as { tenant?: string; facets?: string[] });
  expect(lines).toContainEqual(expect.objectContaining({ tenant: one, facets: ["row"] }));
  expect(log.join()).not.toContain("@");
  expect(
    await database.sql("select from public.service_drift where tenant_id = $1", [gone]),
  ).toEqual([]);

  // Repaired, it is listed no longer; whoever was mended by hand is not after the next look.
  expect((await repair(one)).status).toBe(200);
  await rename(two, "Acme Corp");
  const left = async () => (await listed("drifted=true&limit=100")).data.map(({ id }) => id);
  expect(await left()).not.toContain(one);
  expect(await left()).toContain(two);
  await forgetLooks();
  await look();
  expect(await left()).not.toContain(two);
});

test("of instances that look at once, one does; and none before its time", async () => {
  const looks = () =>
    log.filter((line) => line.includes("as wanted") && line.includes("drifted")).length;
  await Promise.all(Array.from({ length: 6 }, () => look()));
  expect(looks()).toBe(1);
  await look();
  expect(looks()).toBe(1);
  await database.sql(
    "update public.service_drift_looks set began_at = now() - interval '61 minutes'",
  );
  await look();
  expect(looks()).toBe(2);
});

test("a parameter that is none is refused", async () => {
  const { status } = await send(`${service.url}/api/tenant?drifted=perhaps`, { token });
  expect(status).toBe(400);
});
