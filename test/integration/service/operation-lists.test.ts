import { noEngine, startServiceApp, type ServiceApp } from "../../support/service-app";
import { send } from "../../support/service-client";
import { useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

const database = useServiceDatabase();
let service: ServiceApp;
let token: string;

const tenant = "660e8400-e29b-41d4-a716-446655440000";
const another = "770e8400-e29b-41d4-a716-446655440000";

beforeAll(async () => {
  service = await startServiceApp(database.handle, noEngine());
  token = await signed({ expiresIn: 600, claims: { permissions: ["VIEW_TENANTS"] } });
  const rows: [slug: string, tenantId: string, kind: string, status: string][] = [
    ["one", tenant, "setup", "succeeded"],
    ["two", another, "setup", "failed"],
    ["three", tenant, "change", "succeeded"],
    ["four", tenant, "suspend", "failed"],
    ["five", another, "setup", "running"],
    ["six", tenant, "delete", "queued"],
  ];
  // All in one millisecond.
  for (const [index, [slug, tenantId, kind, status]] of rows.entries()) {
    await database.sql(
      `insert into public.operations (id, tenant_id, slug, kind, status, subject, request, failure,
        applied_at, finished_at, created_at)
      values (gen_random_uuid(), $1, $2, $3, $4, 'ana', '{"reason": "unpaid", "name": "a private name"}',
        case $4 when 'failed' then '{"kind": "failed", "message": "why", "reference": "r"}'::jsonb end,
        case $4 when 'succeeded' then now() end,
        case when $4 in ('succeeded', 'failed') then now() end,
        timestamptz '2026-01-01' + $5 * interval '1 microsecond')`,
      [tenantId, slug, kind, status, index],
    );
  }
  await database.sql(
    `insert into public.idempotency_keys (subject, key, fingerprint, operation_id)
    select 'ana', 'a-private-key', 'x', id from public.operations where slug = 'one'`,
  );
});
afterAll(() => service.close());

const get = (parameters: [string, string][] | Record<string, string>) =>
  send(`${service.url}/api/operations?${new URLSearchParams(parameters).toString()}`, { token });

async function slugs(parameters: [string, string][] | Record<string, string>): Promise<string[]> {
  const { status, body } = await get(parameters);
  expect([status, body.details]).toEqual([200, undefined]);
  return (body.data as { slug: string }[]).map(({ slug }) => slug);
}

test("all operations come newest first, also those of the same millisecond", async () => {
  expect(await slugs({})).toEqual(["six", "five", "four", "three", "two", "one"]);
});

test("each is what its own address shows: who asked and why, and neither key nor the rest of the request", async () => {
  const { body } = await get({});
  for (const operation of body.data as { id: string }[]) {
    const own = await send(`${service.url}/api/operations/${operation.id}`, { token });
    expect(own.body).toEqual(operation);
    expect(operation).toMatchObject({ askedBy: "ana", reason: "unpaid" });
  }
  expect(JSON.stringify(body)).not.toContain("private");
});

test.each([
  [{ tenantId: tenant }, ["six", "four", "three", "one"]],
  [{ tenantId: tenant.toUpperCase() }, ["six", "four", "three", "one"]],
  [{ tenantId: "880e8400-e29b-41d4-a716-446655440000" }, []],
  [{ kind: "setup" }, ["five", "two", "one"]],
  [{ kind: "delete,change" }, ["six", "three"]],
  [{ kind: "purge" }, []],
  [{ status: "failed" }, ["four", "two"]],
  [{ status: "running,queued" }, ["six", "five"]],
  [{ status: "failed", kind: "setup" }, ["two"]],
  [{ status: "failed", kind: "setup,suspend", tenantId: tenant }, ["four"]],
])("%j gives %j", async (parameters, expected) => {
  expect(await slugs(parameters)).toEqual(expected);
});

test("a parameter may be sent several times", async () => {
  const kinds = ["delete", "change"].map((kind): [string, string] => ["kind", kind]);
  expect(await slugs(kinds)).toEqual(["six", "three"]);
});

test.each([{}, { tenantId: tenant }])("a cursor leads through all pages of %j", async (filter) => {
  const whole = await slugs(filter);
  const seen: string[] = [];
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const given = cursor === undefined ? {} : { cursor };
    const { body } = await get({ ...filter, limit: "1", ...given });
    seen.push(...(body.data as { slug: string }[]).map(({ slug }) => slug));
    const meta = body.meta as { limit: number; nextCursor: string | null };
    expect(meta).toEqual({ limit: 1, nextCursor: meta.nextCursor });
    cursor = meta.nextCursor;
  }
  expect(seen).toEqual(whole);
});

test("a cursor of another list is refused", async () => {
  const { body } = await get({ limit: "1" });
  const { nextCursor: cursor } = body.meta as { nextCursor: string };
  for (const other of [{ tenantId: tenant }, { kind: "setup" }, { status: "failed" }]) {
    const { status, body } = await get({ limit: "1", cursor, ...other });
    expect([status, body.details?.[0]?.path]).toEqual([400, "cursor"]);
  }
  const tenants = `${service.url}/api/tenant?limit=1&cursor=${cursor}`;
  expect((await send(tenants, { token })).status).toBe(400);
});

test.each([
  ...[{ tenantId: "" }, { tenantId: "1 or 1=1" }, { tenantId: "a\0" }, { kind: "" }],
  ...[
    { kind: "constructor" },
    { kind: "setup,' or true" },
    { status: "ok" },
    { status: "failed," },
  ],
  ...[{ limit: "0" }, { limit: "101" }, { limit: "x" }, { cursor: "x" }, { cursor: "\0" }],
  ...[{ page: "1" }, { sort: "slug" }, { subject: "ana" }, { "kind[]": "setup" }],
])("%j is refused", async (parameters) => {
  const { status, body } = await get(parameters);
  expect(status).toBe(400);
  expect(body.details?.map(({ path }) => path)).toEqual(Object.keys(parameters));
});
