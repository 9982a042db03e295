import { noEngine, startServiceApp, type ServiceApp } from "../../support/service-app";
import { send, type Answer } from "../../support/service-client";
import { useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

const database = useServiceDatabase();
let service: ServiceApp;
let token: string;
let ids: string[];

beforeAll(async () => {
  service = await startServiceApp(database.handle, noEngine());
  token = await signed({ claims: { permissions: ["VIEW_TENANTS"] } });
  ids = [];
  for (let n = 1; n <= 25; n++) ids.push(await database.addTenant(`tenant-${n}`));
  await database.sql(
    `update public.tenants set created_at = '2026-01-01'::timestamptz
      + substr(slug, 8)::int * interval '1 minute'`,
  );
});
afterAll(() => service.close());

const get = (path: string): Promise<Answer> => send(`${service.url}/api/tenant${path}`, { token });

test("a tenant is shown by its id", async () => {
  const { status, body } = await get(`/${ids[0] ?? ""}`);
  expect(status).toBe(200);
  expect(body).toEqual({
    id: ids[0],
    name: "Acme Corp",
    slug: "tenant-1",
    status: "active",
    createdAt: "2026-01-01T00:01:00.000Z",
    updatedAt: expect.any(String) as string,
    ...{ suspendedAt: null, deletedAt: null, purgeAt: null, migrationVersion: null },
    managedBy: "somebody/else/s::x",
  });
});

test("a tenant that nobody declares is managed by nobody; one of the service's, by the service", async () => {
  const managedBy = async (id: string) => (await get(`/${id}`)).body.managedBy;
  const released = await database.addTenant("released");
  await database.sql("update public.tenants set owner = null, status = 'deleted' where id = $1", [
    released,
  ]);
  const own = await database.addTenant("own", {
    id: await database.addWanted("own"),
    status: "deleted",
  });
  expect([await managedBy(released), await managedBy(own)]).toEqual([null, "service"]);
});

test("its migrations' version is that of the newest file", async () => {
  const [id = ""] = ids;
  for (const file of ["20260101000002_b.sql", "20260101000001_a.sql"]) {
    await database.sql("insert into public.tenant_migration_digests values ($1, $2, $3)", [
      ...[`tenant_${id}`, file, "0".repeat(64)],
    ]);
  }
  expect((await get(`/${id}`)).body.migrationVersion).toBe("20260101000002");
});

test.each(["provisioning", "deleted"])(
  "a tenant that is %s is in the list only if asked for",
  async (status) => {
    const id = await database.addTenant(`hidden-${status}`, { status });
    expect((await get(`/${id}`)).body).toMatchObject({ id, status });
    const { body } = await get("?limit=100");
    expect(JSON.stringify(body)).not.toContain(id);
    expect(JSON.stringify((await get(`?status=${status}`)).body)).toContain(id);
  },
);

test("an id that no tenant has is 404, one that is none is 400", async () => {
  expect((await get("/660e8400-e29b-41d4-a716-446655440000")).body).toEqual({
    statusCode: 404,
    message: "There is no such tenant",
    error: "Not Found",
    code: "NOT_FOUND",
  });
  const { status, body } = await get("/1%20or%201=1");
  expect(status).toBe(400);
  expect(body.details).toEqual([expect.objectContaining({ path: "id" })]);
});

test("the list comes in pages of 20, the newest first", async () => {
  const { status, body } = await get("");
  const data = body.data as { slug: string }[];
  expect(status).toBe(200);
  expect(body.meta).toEqual({
    ...{ page: 1, limit: 20, total: 25, totalPages: 2 },
    nextCursor: expect.any(String) as string,
  });
  expect(data.map(({ slug }) => slug)).toEqual(
    Array.from({ length: 20 }, (_, index) => `tenant-${25 - index}`),
  );
  expect(data[0]).toEqual((await get(`/${ids[24] ?? ""}`)).body);
});

test("a page is as long as asked for, and the one after the last is empty", async () => {
  const last = await get("?page=3&limit=10");
  expect(last.body.data).toHaveLength(5);
  const meta = { page: 3, limit: 10, total: 25, totalPages: 3, nextCursor: null };
  expect(last.body.meta).toEqual(meta);
  const none = await get("?page=4&limit=10");
  expect(none.body).toEqual({ data: [], meta: { ...meta, page: 4 } });
});

test.each([
  ["?page=0", ["page"]],
  ["?page=-1", ["page"]],
  ["?page=1.5", ["page"]],
  ["?page=x&limit=101", ["page", "limit"]],
  ["?limit=", ["limit"]],
  ["?page=1&page=2", ["page"]],
  ["?page=9999999999999999999", ["page"]],
  ["?sort=name;drop%20table%20tenants", ["sort"]],
])("%s is refused", async (query, paths) => {
  const { status, body } = await get(query);
  expect(status).toBe(400);
  expect(body.details?.map(({ path }) => path)).toEqual(paths);
});

test("a HEAD is a GET without its body", async () => {
  const { status, headers } = await send(`${service.url}/api/tenant`, { method: "HEAD", token });
  expect(status).toBe(200);
  expect(Number(headers.get("content-length"))).toBeGreaterThan(100);
});
