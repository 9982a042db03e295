import { docBlock } from "../../support/docs";
import { FakeEngineRuns, startService, type ServiceApp } from "../../support/service-app";
import { send, tenantBody } from "../../support/service-client";
import { ownedByService, useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";
import { eventually } from "../../support/killable-service";

const database = useServiceDatabase();
let service: ServiceApp;

beforeAll(async () => {
  const runs = new FakeEngineRuns(async ({ id, slug }) => {
    await database.addTenant(slug, { id, owner: ownedByService(id), email: `ana@${slug}.example` });
    return { result: "succeeded" };
  });
  service = await startService(database.handle, runs);
});
afterAll(() => service.close());

/** Sets a tenant up with a key, and waits until its operation has ended. */
async function setUp(slug: string): Promise<void> {
  const { status } = await send(`${service.url}/api/tenant/setup`, {
    ...{ method: "POST", token: await signed(), headers: { "Idempotency-Key": `key-${slug}` } },
    body: tenantBody({ slug, adminEmail: `ana@${slug}.example` }),
  });
  expect(status).toBe(201);
  const ended = "select from public.operations where slug = $1 and finished_at is not null";
  await eventually(async () => (await database.sql(ended, [slug])).length > 0 || undefined);
}

/** The rows of a table, each as one text. */
const textsOf = async (table: string) =>
  (await database.sql<{ text: string }>(`select to_jsonb(t)::text as text from ${table} t`)).map(
    ({ text }) => text,
  );

test("the documented statement deletes old operations with their keys, and nothing else", async () => {
  for (const slug of ["old", "young", "alive"]) await setUp(slug);
  await database.sql(
    `update public.operations set finished_at = now() - interval '31 days' where slug = 'old'`,
  );
  await database.sql(
    `update public.operations set status = 'running', finished_at = null, applied_at = null,
      created_at = now() - interval '99 days' where slug = 'alive'`,
  );
  await database.sql(docBlock("docs/operating.md", "The queue", "sql"));
  const left = await database.sql(
    "select slug, key from public.operations o join public.idempotency_keys k on k.operation_id = o.id order by 1",
  );
  expect(left).toEqual([
    { slug: "alive", key: "key-alive" },
    { slug: "young", key: "key-young" },
  ]);
  expect(await textsOf("public.idempotency_keys")).toHaveLength(2);
  const tenants = await database.sql("select slug from public.tenants order by 1");
  expect(tenants.map(({ slug }) => slug as string)).toEqual(["alive", "old", "young"]);
});

test("after a success no operation, key or job tells of the admin, but for the key's hash of a day", async () => {
  await setUp("private");
  const jobs = ["graphile_worker.jobs", "graphile_worker._private_jobs"];
  for (const table of ["public.operations", "public.idempotency_keys", ...jobs]) {
    const texts = await textsOf(table);
    expect(texts.filter((text) => /ana@|Ana|Diaz|horse/.test(text))).toEqual([]);
    const hashes = texts.filter((text) => text.includes("argon2"));
    expect(hashes).toHaveLength(table === "public.idempotency_keys" ? texts.length : 0);
  }
  await expect(
    database.sql(
      `update public.operations set request = request || '{"adminEmail": "a@b.example"}'`,
    ),
  ).rejects.toThrow("operations_request_is_about_no_person");
});
