import { randomUUID } from "node:crypto";
import { eventually } from "../support/killable-service";
import { postSetUp, send, tenantBody } from "../support/service-client";
import { useServiceDatabase } from "../support/service-database";
import { cleanUpServices, serviceEnvironment, startService } from "../support/service-process";
import { signed } from "../support/service-tokens";

/** Each facet of a tenant broken by hand: told, found by the schedule's look, and repaired by the real engine. */

// Before the database's own, which drops it: they run in this order.
afterAll(async () => {
  await cleanUpServices();
  await database.asSuperuser(`drop owned by ${role}`);
  await database.asSuperuser(`drop role ${role}`);
});
const database = useServiceDatabase({ migrated: false });
const role = `product_${randomUUID().slice(0, 8)}`;
let base: string;
let token: string;
let id: string;
let bystander: string;

beforeAll(async () => {
  token = await signed({ expiresIn: 3_600, claims: { sub: "ana", role: "SUPER_ADMIN" } });
  await database.asSuperuser(`create role ${role}`);
  const env = { ...serviceEnvironment(database.url()), SETUP_WAIT: "120", PRODUCT_ROLES: role };
  base = await startService(env).url;
  id = await made("broken");
  bystander = await made("bystander");
});

async function made(slug: string): Promise<string> {
  const body = tenantBody({ slug, adminEmail: `ana@${slug}.example` });
  const answer = await postSetUp(base, token, body);
  expect(answer).toMatchObject({ status: 201 });
  return answer.body.id ?? "";
}

const drift = async (tenant = id) =>
  (await send(`${base}/api/tenant/${tenant}/drift`, { token })).body as unknown as {
    drifted: boolean;
    facets: { facet: string; found: string; repair: string }[];
  };
const repair = () => send(`${base}/api/tenant/${id}/repair`, { method: "POST", token });

/** The tenants that the schedule's look finds, which comes each minute, and is sent early here. */
async function lookedUp(): Promise<string[]> {
  await database.sql("delete from public.service_drift_looks");
  await database.sql("select graphile_worker.add_job('drift_look')");
  await eventually(async () => {
    const rows = await database.sql("select from public.service_drift_looks");
    return rows.length > 0 ? true : undefined;
  });
  const { body } = await send(`${base}/api/tenant?drifted=true`, { token });
  return (body as unknown as { data: { id: string }[] }).data.map((tenant) => tenant.id);
}

const stateOf = (tenant: string) =>
  database.sql(
    `select t.*, m.role, n.nspacl::text, n.oid::int, (select count(*) from public.tenant_migration_digests
      where schema_name = nspname) as digests
    from public.tenants t join public.tenant_users m on m.tenant_id = t.id
    join pg_namespace n on nspname = 'tenant_' || t.id where t.id = $1`,
    [tenant],
  );

/** How a facet is broken by hand; `X` is the tenant's id, and `B` the bystander's. */
const breakages: [string, string[]][] = [
  ["row", ["update public.tenants set name = 'Not this', slug = 'not-this' where id = 'X'"]],
  [
    "row",
    [
      "delete from public.tenant_users where tenant_id = 'X'",
      "delete from public.tenants where id = 'X'",
    ],
  ],
  ["status", ["update public.tenants set status = 'provisioning' where id = 'X'"]],
  [
    "admin",
    [
      `update public.tenants set admin_user_id = (select admin_user_id from public.tenants where id = 'B')
      where id = 'X'`,
    ],
  ],
  ["membership", ["update public.tenant_users set role = 'MEMBER' where tenant_id = 'X'"]],
  [
    "digests",
    [
      `delete from public.tenant_migration_digests
      where schema_name = 'tenant_X' and file like '20260101000003%'`,
    ],
  ],
  ["gate", [`revoke usage on schema "tenant_X" from ${role}`]],
];

test.each(breakages)(
  "%s: %j is told, found by the look, and repaired",
  async (facet, statements) => {
    const whole = await stateOf(id);
    const [other] = await stateOf(bystander);
    expect(await drift()).toEqual({ drifted: false, facets: [] });
    for (const statement of statements) {
      await database.sql(statement.replaceAll("X", id).replaceAll("'B'", `'${bystander}'`));
    }
    const broken = await drift();
    expect(broken.facets).toContainEqual(expect.objectContaining({ facet, repair: "engine" }));
    // A tenant without a row is in no list of tenants.
    const isThere = (await stateOf(id)).length > 0 || facet !== "row";
    expect(await lookedUp()).toEqual(isThere ? [id] : []);
    expect(await repair()).toMatchObject({ status: 200, body: { id, drift: { drifted: false } } });
    expect(await drift()).toEqual({ drifted: false, facets: [] });
    const [repaired] = await stateOf(id);
    const times = {
      generation: expect.any(String) as string,
      updated_at: expect.any(Date) as Date,
    };
    const born = { created_at: expect.any(Date) as Date };
    expect(repaired).toEqual({ ...whole[0], ...times, ...born });
    expect(await lookedUp()).toEqual([]);
    expect(await stateOf(bystander)).toEqual([other]);
  },
);

test("a table that was changed by hand is told with what differs, and left; all else is repaired", async () => {
  await database.sql(`alter table "tenant_${id}".commerces drop column name`);
  await database.sql("update public.tenants set name = 'Not this' where id = $1", [id]);
  const words = expect.stringMatching(
    /^tables are not repaired: .*lacks column commerces\.name/,
  ) as string;
  expect(await lookedUp()).toEqual([id]);
  expect(await repair()).toMatchObject({
    status: 200,
    body: {
      name: "Acme Corp",
      drift: { drifted: true, facets: [{ facet: "fingerprint", repair: words }] },
    },
  });
  expect(await lookedUp()).toEqual([id]);
  expect((await drift()).facets.map(({ facet }) => facet)).toEqual(["fingerprint"]);
});

test("a schema that was dropped is told, and nothing is made in its place", async () => {
  await database.sql(`drop schema "tenant_${id}" cascade`);
  expect(await drift()).toMatchObject({
    facets: [
      { facet: "schema", repair: expect.stringContaining("restore it from a backup") as string },
    ],
  });
  expect(await repair()).toMatchObject({ status: 200, body: { drift: { drifted: true } } });
  expect(
    await database.sql("select from pg_namespace where nspname = $1", [`tenant_${id}`]),
  ).toEqual([]);
  expect(await drift(bystander)).toEqual({ drifted: false, facets: [] });
});
