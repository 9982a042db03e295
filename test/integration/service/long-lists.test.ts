import type { Database } from "../../../service/database/database";
import { noEngine, startServiceApp, type ServiceApp } from "../../support/service-app";
import { send } from "../../support/service-client";
import { useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

/**
 * How far lists read, among 100,000 tenants and as many operations: by what PostgreSQL itself says of the very
 * statements that a request sends, since times on a busy machine tell little.
 */
const database = useServiceDatabase();
let service: ServiceApp;
let token: string;
let statements: { text: string; values: readonly unknown[] }[] = [];

const COUNT = 100_000;

beforeAll(async () => {
  const recorded: Database = {
    settings: database.handle.settings,
    query: (text, values = []) => {
      statements.push({ text, values });
      return database.handle.query(text, values);
    },
    transaction: database.handle.transaction,
    withTenantLock: database.handle.withTenantLock,
  };
  service = await startServiceApp(recorded, noEngine());
  token = await signed({ expiresIn: 600, claims: { permissions: ["VIEW_TENANTS"] } });
  await database.addTenant("first", { email: "ana@acme.example" });
  for (const statement of [
    `insert into public.tenants (id, name, slug, status, admin_user_id, created_at)
    select gen_random_uuid(), 'Tenant ' || md5(n::text), 't-' || n,
      case when n % 50 = 0 then 'suspended' when n % 20 = 0 then 'deleted' else 'active' end,
      (select id from public.users), timestamptz '2026-01-01' + n * interval '1 second'
    from generate_series(1, ${COUNT}) n`,
    `insert into public.service_tenants (id, spec)
    select id, jsonb_build_object('name', name, 'slug', slug, 'adminPassword', '$argon2id$v=19$x')
    from public.tenants where status <> 'deleted'`,
    `insert into public.tenant_migration_digests
    select 'tenant_' || id, file, repeat('0', 64)
    from public.tenants, unnest(array['20260101000001_a.sql', '20260101000002_b.sql']) file`,
    `insert into public.operations (id, tenant_id, slug, kind, request, status, applied_at, finished_at,
      failure, created_at)
    select gen_random_uuid(), id, slug, 'setup', '{}',
      case when slug = 't-1' then 'failed' else 'succeeded' end,
      now(), now(), case when slug = 't-1' then '{"kind": "failed", "message": "why"}'::jsonb end,
      created_at from public.tenants`,
    ...["tenants", "service_tenants", "tenant_migration_digests", "operations"].map(
      (table) => `analyze public.${table}`,
    ),
  ]) {
    await database.sql(statement);
  }
});
afterAll(() => service.close());

/** Sends a request; gives its answer and, for each statement that it sent, how many rows PostgreSQL read. */
async function read(path: string) {
  statements = [];
  const { status, body } = await send(`${service.url}${path}`, { token });
  expect(status).toBe(200);
  const rows: number[] = [];
  for (const { text, values } of statements) rows.push(await rowsRead(text, values));
  const { data, meta } = body as { data: unknown[]; meta: { nextCursor: string | null } };
  return { data, meta, rows };
}

interface Plan {
  readonly "Node Type": string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly Plans?: readonly Plan[];
}

async function rowsRead(statement: string, values: readonly unknown[]): Promise<number> {
  const [row] = await database.sql<{ "QUERY PLAN": [{ Plan: Plan }] }>(
    `explain (analyze, timing off, format json) ${statement}`,
    [...values],
  );
  const readBy = (plan: Plan): number => {
    const below = (plan.Plans ?? []).reduce((sum, each) => sum + readBy(each), 0);
    if (!plan["Node Type"].endsWith("Scan")) return below;
    const each =
      plan["Actual Rows"] +
      (plan["Rows Removed by Filter"] ?? 0) +
      (plan["Rows Removed by Index Recheck"] ?? 0);
    return below + each * plan["Actual Loops"];
  };
  return Math.round(row ? readBy(row["QUERY PLAN"][0].Plan) : NaN);
}

test.each(["-createdAt", "createdAt", "name", "-name", "slug", "-slug"])(
  "the last pages by cursor read no more than three times what the first reads, by %s",
  async (sort) => {
    const list = `/api/tenant?sort=${sort}`;
    const first = await read(list);
    const [listed = NaN, counted] = first.rows.toSorted((a, b) => a - b);
    expect(counted).toBeGreaterThan(COUNT / 2);
    // Of each of both statuses a page and one more, and for each tenant shown its rows in other tables.
    expect(listed).toBeLessThan(250);
    const { meta } = await read(`${list}&page=4798`);
    const pages = [await read(`${list}&cursor=${String(meta.nextCursor)}`)];
    pages.push(await read(`${list}&cursor=${String(pages[0]?.meta.nextCursor)}`));
    for (const { rows, data } of pages) {
      expect(data).toHaveLength(20);
      // One statement: they are not counted again.
      expect(rows).toEqual([expect.any(Number)]);
      expect(rows[0]).toBeLessThan(3 * listed);
    }
    expect(pages[1]?.meta).toMatchObject({ page: 4800, total: 96_001, totalPages: 4801 });
  },
);

test.each(["q=t-4242", "q=T-4242&sort=slug", "q=tenant%20c4ca42&sort=name", "q=no-such"])(
  "a search for a beginning reads what it finds: %s",
  async (search) => {
    const { rows, data } = await read(`/api/tenant?${search}`);
    expect(data.length).toBeLessThan(15);
    for (const each of rows) expect(each).toBeLessThan(250);
  },
);

test("one that most tenants have stops at the end of the page", async () => {
  const { rows, data } = await read("/api/tenant?q=t");
  expect(data).toHaveLength(20);
  expect(Math.min(...rows)).toBeLessThan(250);
});

test("the operations' last pages, and the few that failed, read no more than the first", async () => {
  const first = await read("/api/operations");
  const half = await send(`${service.url}/api/operations?limit=20`, { token });
  expect(half.body.meta).toEqual(first.meta);
  const [listed = NaN] = first.rows;
  expect(listed).toBeLessThan(250);
  const oldest = await farCursor(String(first.meta.nextCursor));
  const last = await read(`/api/operations?cursor=${oldest}`);
  expect(last.data).toHaveLength(20);
  expect(last.rows[0]).toBeLessThan(3 * listed);
  const failed = await read("/api/operations?status=failed");
  expect(failed.data).toHaveLength(1);
  expect(failed.rows[0]).toBeLessThan(100);
});

test("the operations of one tenant are read alone", async () => {
  const [tenant] = await database.sql<{ id: string }>(
    "select id from public.tenants where slug = 't-777'",
  );
  const { rows, data } = await read(`/api/operations?tenantId=${String(tenant?.id)}`);
  expect(data).toHaveLength(1);
  expect(rows[0]).toBeLessThan(10);
});

/** A cursor near the end of the operations, made from one of their beginning: the place alone is another. */
async function farCursor(cursor: string): Promise<string> {
  const read = JSON.parse(Buffer.from(cursor, "base64url").toString()) as { list: string };
  const [place] = await database.sql(
    `select id, (extract(epoch from created_at) * 1000000)::bigint::text as key
    from public.operations where slug = 't-30'`,
  );
  return Buffer.from(JSON.stringify({ list: read.list, place })).toString("base64url");
}
