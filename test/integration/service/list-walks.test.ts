import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { noEngine, startServiceApp, type ServiceApp } from "../../support/service-app";
import { send } from "../../support/service-client";
import { useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

const database = useServiceDatabase();
let service: ServiceApp;
let token: string;

beforeAll(async () => {
  service = await startServiceApp(database.handle, noEngine());
  token = await signed({ expiresIn: 600, claims: { permissions: ["VIEW_TENANTS"] } });
  // A user, whom the tenants need for their admin.
  await database.addTenant("first");
});
afterAll(() => service.close());

/** What a walk is about: few places, so that many entries share one, and an entry's other facts. */
interface Entry {
  readonly id: string;
  readonly fate: string;
  /** Its age in microseconds, and the first letter of its name and slug. */
  readonly age: number;
  readonly letter: string;
  readonly status: string;
  readonly kind: string;
}

const entryOf = (statuses: readonly string[]) =>
  fc.record({
    id: fc.uuid({ version: 4 }),
    // Whether it stays, goes or comes while the list is read.
    fate: fc.constantFrom("steady", "steady", "doomed", "coming"),
    age: fc.integer({ min: -2, max: 2 }),
    letter: fc.constantFrom("a", "B", "b", "É", "_"),
    status: fc.constantFrom(...statuses),
    kind: fc.constantFrom("setup", "change", "purge"),
  });

/** A list, what others do to it after each page, and how it is asked for. */
const walkOf = (statuses: readonly string[], asks: readonly string[]) =>
  fc.record({
    entries: fc.uniqueArray(entryOf(statuses), { maxLength: 24, selector: ({ id }) => id }),
    limit: fc.integer({ min: 1, max: 5 }),
    ask: fc.constantFrom(...asks),
  });

interface Walked {
  readonly table: "tenants" | "operations";
  readonly path: string;
  readonly statuses: readonly string[];
  readonly asks: readonly string[];
  readonly insert: (entry: Entry) => Promise<unknown>;
}

const tenants: Walked = {
  table: "tenants",
  path: "/api/tenant",
  statuses: ["active", "suspended", "deleted"],
  asks: ["-createdAt", "createdAt", "name", "-name", "slug", "-slug"].map(
    (sort) => `status=active,suspended,deleted&sort=${sort}`,
  ),
  insert: ({ id, age, letter, status }) =>
    database.sql(
      `insert into public.tenants (id, name, slug, status, admin_user_id, created_at)
      values ($1::uuid, $2 || 'x', lower(translate($2, 'É_', 'xy')) || '-' ||
          case $3 when 'deleted' then 'gone' else replace($1::uuid::text, '-', '') end,
        $3, (select min(id::text)::uuid from public.users),
        timestamptz '2026-01-01' + $4 * interval '1 microsecond')`,
      [id, letter, status, age],
    ),
};

const operations: Walked = {
  table: "operations",
  path: "/api/operations",
  statuses: ["queued", "running", "succeeded", "failed"],
  asks: ["kind=setup,change,purge", "", `tenantId=${randomUUID()}`],
  insert: ({ id, age, status, kind }) =>
    database.sql(
      `insert into public.operations (id, tenant_id, slug, kind, request, status, applied_at,
        finished_at, failure, created_at)
      values ($1, $2, 'a-slug', $3, '{}', $4, now(),
        case when $4 in ('succeeded', 'failed') then now() end,
        case $4 when 'failed' then '{"kind": "failed", "message": "why"}'::jsonb end,
        timestamptz '2026-01-01' + $5 * interval '1 microsecond')`,
      [id, operations.asks.at(-1)?.replace("tenantId=", ""), kind, status, age],
    ),
};

/** One page of a list: the ids on it, and the cursor of the next. */
async function page(path: string): Promise<{ ids: string[]; nextCursor: string | null }> {
  const { status, body } = await send(`${service.url}${path}`, { token });
  expect(status).toBe(200);
  const { data, meta } = body as { data: { id: string }[]; meta: { nextCursor: string | null } };
  return { ids: data.map(({ id }) => id), nextCursor: meta.nextCursor };
}

test.each([tenants, operations])(
  "a walk through $table meets each exactly once, whatever others add and remove meanwhile",
  async ({ table, path, statuses, asks, insert }) => {
    await fc.assert(
      fc.asyncProperty(walkOf(statuses, asks), async ({ entries, limit, ask }) => {
        const fated = (name: string) => entries.filter(({ fate }) => fate === name);
        const [steady, leaving, arriving] = [fated("steady"), fated("doomed"), fated("coming")];
        await database.sql(`delete from public.${table}`);
        for (const entry of [...steady, ...leaving]) await insert(entry);
        const whole = (await page(`${path}?${ask}&limit=100`)).ids;
        expect(whole).toHaveLength(steady.length + leaving.length);

        const seen: string[] = [];
        let cursor: string | null | undefined;
        while (cursor !== null) {
          const given: string = cursor === undefined ? "" : `&cursor=${cursor}`;
          const { ids, nextCursor } = await page(`${path}?${ask}&limit=${limit}${given}`);
          expect(ids.length).toBeLessThanOrEqual(limit);
          if (nextCursor !== null) expect(ids).toHaveLength(limit);
          seen.push(...ids);
          cursor = nextCursor;
          const [gone, added] = [leaving.pop(), arriving.pop()];
          if (gone) await database.sql(`delete from public.${table} where id = $1`, [gone.id]);
          if (added) await insert(added);
        }

        expect(new Set(seen).size).toBe(seen.length);
        const stayed = new Set(steady.map(({ id }) => id));
        expect(seen.filter((id) => stayed.has(id))).toEqual(whole.filter((id) => stayed.has(id)));
      }),
      { numRuns: 60 },
    );
  },
);
