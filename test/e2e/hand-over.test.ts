import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { fileState, stacksIn } from "../support/pulumi-state";
import { eventually } from "../support/killable-service";
import { tenant, usePulumiProject } from "../support/pulumi";
import { postSetUp, send, tenantBody } from "../support/service-client";
import { useServiceDatabase } from "../support/service-database";
import {
  cleanUpServices,
  serviceEnvironment,
  startService,
  temporaryFolder,
} from "../support/service-process";
import { signed } from "../support/service-tokens";
import { previewOf } from "../support/whole-tenant";

/** A tenant that goes from the service to a stack and back, on the real engine. */

// Before the database's own, which drops it: they run in this order.
afterAll(cleanUpServices);
const database = useServiceDatabase({ migrated: false });
const project = usePulumiProject("examples/three-tenants", [
  "Pulumi.yaml",
  "package.json",
  "index.js",
]);
const up = ["up", "--yes", "--skip-preview"];
let state: string;
let base: string;
let token: string;

beforeAll(async () => {
  token = await signed({ expiresIn: 3_600, claims: { sub: "ana", role: "SUPER_ADMIN" } });
  const env = serviceEnvironment(database.url());
  state = env.state;
  base = await startService({ ...env, SETUP_WAIT: "120" }).url;
  project.env.DATABASE_URL = database.url();
});

async function made(slug: string): Promise<string> {
  const asked = tenantBody({ slug, adminEmail: `ana@${slug}.example` });
  const { status, body } = await postSetUp(base, token, asked);
  expect({ status, body }).toMatchObject({ status: 201 });
  return body.id ?? "";
}

const post = (address: string, body?: unknown) =>
  send(`${base}/api/tenant/${address}`, { method: "POST", token, body });
const view = async (id: string) => (await send(`${base}/api/tenant/${id}`, { token })).body;

/** As a stack declares a tenant that the service made. */
const declared = (slug: string, more: object = {}) =>
  tenant(slug, { name: "Acme Corp", adminEmail: `ana@${slug}.example`, ...more });

/** What would differ if any table were touched: where it is, who wrote each row, and its place. */
const tablesOf = (id: string) =>
  database.sql(
    `select c.oid, c.relname, c.relfilenode,
      case c.relkind when 'r' then query_to_xml(
        format('select xmin, ctid, t.* from %s t', c.oid::regclass), false, false, '')::text end as rows
    from pg_class c where relnamespace = $1::regnamespace order by c.oid`,
    [`"tenant_${id}"`],
  );

/** Resolves when the engine has saved the states of all that was answered. */
const saved = () =>
  eventually(async () => {
    const alive = await database.sql("select from public.operations where finished_at is null");
    return alive.length === 0 ? true : undefined;
  });

/** A folder with the first of the applied migrations, edited, and none of the others. */
function otherMigrations(): string {
  const folder = temporaryFolder("other-migrations-");
  const file = path.join(folder, "20260101000001_create_commerces.sql");
  writeFileSync(file, "-- migrate:up\n-- migrate:down\n");
  return folder;
}

const preview = (id: string) => previewOf(database, fileState(state), id);
const unchanged = { same: expect.any(Number) as number };

test("a tenant goes from the service to a stack and back, and no table is touched", async () => {
  const [id, bystander] = [await made("walker"), await made("bystander")];
  await database.sql(`create table "tenant_${id}".kept as select 7 as number`);
  const tables = await tablesOf(id);
  const stack = await database.stackOf("walker");
  const others = await database.sql("select * from public.tenants where id = $1", [bystander]);

  // From the service to nobody.
  const released = await post(`${id}/release`);
  expect(released).toMatchObject({ status: 200, body: { id, status: "active", managedBy: null } });
  await saved();
  await eventually(async () => {
    const stacks = await stacksIn(fileState(state));
    return stacks.includes(stack) ? undefined : true;
  });
  expect((await post(`${id}/suspend`)).body.message).toContain("adopt it first");

  // To a stack.
  const taken = declared("bystander", { adopt: true, id: randomUUID() });
  await project.configure([declared("walker"), taken]);
  const refused = await project.tryRun("preview");
  expect(refused.code).not.toBe(0);
  expect(refused.output).toMatch(
    /tenant walker: slug: slug walker is taken, .*, which has no owner: give this tenant adopt: true/,
  );
  expect(refused.output).toContain("tenant bystander: slug: slug bystander is taken");
  expect(refused.output).not.toContain("adopts tenant");
  // An id is the same in capitals.
  const named = declared("walker", { adopt: true, id: id.toUpperCase() });
  await project.configure([named], otherMigrations());
  const told = await project.run("preview");
  const refusal = "pulumi up will refuse walker:";
  expect(told).toContain(`${refusal} 20260101000001_create_commerces.sql was edited after it was`);
  expect(told).toMatch(
    RegExp(`${refusal} the migrations' folder is older than .* has 2026.*000002`),
  );
  await project.configure([declared("walker", { adopt: true })]);
  expect(await project.run("preview")).toContain(
    `adopts tenant walker (${id}): there and kept: row, admin, schema, migrations (6), membership; ` +
      `missing and made: nothing`,
  );
  await project.run(...up);
  await project.run("preview", "--refresh", "--expect-no-changes");
  expect(await tablesOf(id)).toEqual(tables);
  const owner = "organization/three-tenants/dev::walker";
  expect(await view(id)).toMatchObject({ status: "active", managedBy: owner });
  const owned = await post("adopt", { id });
  expect(owned).toMatchObject({ status: 409, body: { code: "TENANT_CONFLICT" } });
  expect(owned.body.message).toContain(owner);
  await project.configure([declared("walker")]);
  await project.run("preview", "--expect-no-changes");

  // From the stack to nobody.
  await project.configure([declared("walker", { release: true })]);
  expect(await project.run("preview", "--diff")).toMatch(/\+ release +: true/);
  await project.run(...up);
  expect(await view(id)).toMatchObject({ status: "active", managedBy: owner });
  await project.configure([]);
  expect(await project.run("preview")).toContain(
    `tenant walker is declared no more: its end releases it: it stays as it is, in schema tenant_${id}`,
  );
  await project.run(...up);
  expect(await view(id)).toMatchObject({ status: "active", managedBy: null });
  expect(await tablesOf(id)).toEqual(tables);

  // And back to the service, which has it as any other from then on.
  const adopted = await post("adopt", { slug: "walker" });
  expect(adopted).toMatchObject({ status: 200, body: { id, managedBy: "service" } });
  await saved();
  expect(await tablesOf(id)).toEqual(tables);
  expect(await preview(id)).toEqual(unchanged);
  expect(await database.sql("select * from public.tenants where id = $1", [bystander])).toEqual(
    others,
  );
  await send(`${base}/api/tenant/${id}`, { method: "DELETE", token });
  expect((await post(`${id}/purge`, { slug: "walker" })).status).toBe(204);
  await saved();
  expect(
    await database.sql("select from pg_namespace where nspname = $1", [`tenant_${id}`]),
  ).toEqual([]);
});

test("a suspended and a deleted tenant stay so when they are released, and when they are adopted", async () => {
  const [suspended, deleted] = [await made("quiet"), await made("gone")];
  await post(`${suspended}/suspend`);
  await send(`${base}/api/tenant/${deleted}`, { method: "DELETE", token });
  const times = await database.sql(
    "select status, suspended_at, deleted_at from public.tenants where id = any($1) order by slug",
    [[suspended, deleted]],
  );
  for (const id of [suspended, deleted]) {
    expect(await post(`${id}/release`)).toMatchObject({ status: 200, body: { managedBy: null } });
    expect(await post("adopt", { id })).toMatchObject({ status: 200, body: { id } });
  }
  expect(
    await database.sql(
      "select status, suspended_at, deleted_at from public.tenants where id = any($1) order by slug",
      [[suspended, deleted]],
    ),
  ).toEqual(times);
  expect((await view(deleted)).purgeAt).toEqual(expect.any(String));
  await saved();
  expect(await preview(suspended)).toEqual(unchanged);
  expect(await preview(deleted)).toEqual(unchanged);
  expect((await post(`${deleted}/restore`)).body).toMatchObject({ status: "active" });
});

test("a tenant that was made by hand is adopted by the service, and what is missing is made", async () => {
  const [{ id } = { id: "" }] = await database.sql<{ id: string }>(
    `with admin as (
      insert into public.users (email, first_name, last_name) values ('bo@hand.example', 'Bo', 'Li')
      returning id
    )
    insert into public.tenants (name, slug, status, admin_user_id)
    select 'By hand', 'by-hand', 'active', id from admin returning id`,
  );
  expect(await post("adopt", { slug: "by-hand" })).toMatchObject({
    status: 200,
    body: { id, name: "By hand", status: "active", migrationVersion: "20260101000006" },
  });
  await saved();
  expect(await preview(id)).toEqual(unchanged);
});

test("one whose tables are not as their migrations make them is not adopted until they are", async () => {
  const id = await made("odd");
  expect(await post(`${id}/release`)).toMatchObject({ status: 200 });
  await database.sql("delete from public.tenant_migration_digests where schema_name = $1", [
    `tenant_${id}`,
  ]);
  await database.sql(`alter table "tenant_${id}".commerces add column extra int`);
  const refused = await post("adopt", { id });
  expect(refused).toMatchObject({ status: 500, body: { code: "OPERATION_FAILED" } });
  await database.sql(`alter table "tenant_${id}".commerces drop column extra`);
  expect(await post("adopt", { id })).toMatchObject({ status: 200, body: { status: "active" } });
  await saved();
  expect(await preview(id)).toEqual(unchanged);
});
