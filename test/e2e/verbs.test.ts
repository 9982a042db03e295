import { randomUUID } from "node:crypto";
import { cpSync, writeFileSync } from "node:fs";
import path from "node:path";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { eventually } from "../support/killable-service";
import { contentOf, fileState, locksIn, stacksIn } from "../support/pulumi-state";
import { postSetUp, send, tenantBody, type Answer } from "../support/service-client";
import { useServiceDatabase } from "../support/service-database";
import {
  cleanUpServices,
  serviceEnvironment,
  startService,
  temporaryFolder,
} from "../support/service-process";
import { signed } from "../support/service-tokens";
import { previewOf } from "../support/whole-tenant";

/** The life of a tenant over HTTP, on the real engine. */

// Before the database's own, which drops it: they run in this order.
afterAll(async () => {
  await cleanUpServices();
  await database.asSuperuser(`drop owned by ${role}`);
  await database.asSuperuser(`drop role ${role}`);
});
const database = useServiceDatabase({ migrated: false });
/** As which the product works; roles are the server's, and other tests have theirs. */
const role = `product_${randomUUID().slice(0, 8)}`;
let migrations: string;
let state: string;
let base: string;
let token: string;

beforeAll(async () => {
  migrations = temporaryFolder("verbs-migrations-");
  cpSync(tenantMigrationsDir, migrations, { recursive: true });
  token = await signed({ expiresIn: 3_600, claims: { sub: "ana", role: "SUPER_ADMIN" } });
  const env = serviceEnvironment(database.url());
  state = env.state;
  await database.asSuperuser(`create role ${role}`);
  base = await startService({
    ...{ ...env, TENANT_MIGRATIONS_DIR: migrations, SETUP_WAIT: "120", PRODUCT_ROLES: role },
  }).url;
});

const setUp = (slug: string): Promise<Answer> =>
  postSetUp(base, token, tenantBody({ slug, adminEmail: `ana@${slug}.example` }));

async function made(slug: string): Promise<string> {
  const { status, body } = await setUp(slug);
  expect({ status, body }).toMatchObject({ status: 201 });
  return body.id ?? "";
}

const at = (id: string, verb?: string) =>
  `${base}/api/tenant/${id}${verb === undefined ? "" : `/${verb}`}`;
const view = async (id: string) => (await send(at(id), { token })).body;
const post = (id: string, verb: string, body?: unknown) =>
  send(at(id, verb), { method: "POST", token, body });
const remove = (id: string) => send(at(id), { method: "DELETE", token });

/** All rows that there are of a tenant, and its schema. */
async function tracesOf(id: string, slug: string) {
  const [traces] = await database.sql<Record<string, number>>(
    `select
      (select count(*)::int from public.tenants where id = $1) as tenants,
      (select count(*)::int from public.service_tenants where id = $1) as wanted,
      (select count(*)::int from public.tenant_users where tenant_id = $1) as members,
      (select count(*)::int from public.users where email = $2) as users,
      (select count(*)::int from pg_namespace where nspname = 'tenant_' || $1) as schemas,
      (select count(*)::int from public.tenant_migration_digests
        where schema_name = 'tenant_' || $1) as digests`,
    [id, `ana@${slug}.example`],
  );
  return traces;
}

const whole = { tenants: 1, wanted: 1, members: 1, users: 1, schemas: 1, digests: 6 };
const nothing = { tenants: 0, wanted: 0, members: 0, users: 0, schemas: 0, digests: 0 };

/** Whether the product's role can use the tenant's schema. */
const isOpen = async (id: string) =>
  (
    await database.sql<{ open: boolean }>("select has_schema_privilege($1, $2, 'usage') as open", [
      ...[role, `tenant_${id}`],
    ])
  )[0]?.open;

/** What the real CLI would do next, as the service would have it. */
const preview = (id: string) =>
  previewOf(database, fileState(state), id, { migrationsDir: migrations, productRoles: [role] });

/** Resolves when the engine has saved the states of all that was answered. */
const saved = () =>
  eventually(async () => {
    const alive = await database.sql("select from public.operations where finished_at is null");
    return alive.length === 0 ? true : undefined;
  });

test("a tenant that is suspended, resumed, deleted and restored is the same one, and its stack knows", async () => {
  const id = await made("lived");
  const bystander = await made("bystander");
  const [before] = await database.sql("select * from public.tenants where id = $1", [bystander]);

  expect((await post(id, "suspend", { reason: "not paid" })).body).toMatchObject({
    status: "suspended",
    suspendedAt: expect.any(String) as string,
  });
  expect([await isOpen(id), await isOpen(bystander)]).toEqual([false, true]);
  expect((await post(id, "resume")).body).toMatchObject({ status: "active", suspendedAt: null });
  expect(await isOpen(id)).toBe(true);
  await saved();
  expect(await preview(id)).toEqual({
    same: expect.any(Number) as number,
  });

  const deleted = await remove(id);
  expect(deleted).toMatchObject({ status: 200, body: { status: "deleted", slug: "lived" } });
  expect(await tracesOf(id, "lived")).toEqual(whole);
  expect(await isOpen(id)).toBe(false);
  await saved();
  expect(await preview(id)).toEqual({
    same: expect.any(Number) as number,
  });

  const heir = await made("lived");
  expect(heir).not.toBe(id);
  expect((await post(id, "restore")).status).toBe(409);

  writeFileSync(
    path.join(migrations, "20990101000001_late.sql"),
    "-- migrate:up\ncreate table late (id int);\n-- migrate:down\n",
  );
  const restored = await post(id, "restore", { slug: "lived-again" });
  expect(restored).toMatchObject({ status: 200, body: { id, slug: "lived-again" } });
  expect(restored.body).toMatchObject({ status: "active", migrationVersion: "20990101000001" });
  expect(restored.body).toMatchObject({ deletedAt: null, purgeAt: null, managedBy: "service" });
  expect(await isOpen(id)).toBe(true);
  expect(await view(heir)).toMatchObject({ slug: "lived", status: "active" });
  await saved();
  expect(await preview(id)).toEqual({
    same: expect.any(Number) as number,
  });
  expect(await database.sql("select * from public.tenants where id = $1", [bystander])).toEqual([
    before,
  ]);
});

test("a purged tenant leaves nothing but its operations, and takes nothing of another", async () => {
  const [id, bystander] = [await made("purged"), await made("stays")];
  const stack = await database.stackOf("purged");
  await remove(id);
  expect((await post(id, "purge", { slug: "stays" })).status).toBe(409);
  expect(await post(id, "purge", { slug: "purged" })).toMatchObject({ status: 204 });
  expect((await send(at(id), { token })).status).toBe(404);
  expect((await post(id, "purge", { slug: "purged" })).status).toBe(404);
  await saved();
  expect(await tracesOf(id, "purged")).toEqual(nothing);
  expect(await tracesOf(bystander, "stays")).toEqual({ ...whole, digests: 7 });
  await eventually(async () =>
    (await stacksIn(fileState(state))).includes(stack) ? undefined : true,
  );
  await eventually(async () => {
    const locks = await locksIn(fileState(state));
    return locks.some((lock) => lock.stack === stack) ? undefined : true;
  });
  await eventually(async () => {
    const rows = await database.sql("select from public.service_stacks where name = $1", [stack]);
    return rows.length === 0 ? true : undefined;
  });
  const kinds = await database.sql(
    "select kind, status from public.operations where tenant_id = $1 order by created_at",
    [id],
  );
  expect(kinds).toEqual(
    ["setup", "delete", "purge"].map((kind) => ({ kind, status: "succeeded" })),
  );
});

test("a tenant that something outside depends on is not purged: the answer names it, and it can be restored", async () => {
  const id = await made("in-use");
  await database.sql("create schema reports");
  await database.sql(`create view reports.totals as select count(*) from "tenant_${id}".commerces`);
  await remove(id);
  const refused = await post(id, "purge", { slug: "in-use" });
  expect(refused).toMatchObject({ status: 409, body: { code: "TENANT_CONFLICT" } });
  expect(refused.body.message).toContain("view reports.totals");
  expect(refused.body.message).not.toMatch(/tenant_|step|Error/);
  const [purge] = await database.sql<{ steps: { name: string; status: string }[] }>(
    "select steps from public.operations where tenant_id = $1 and kind = 'purge'",
    [id],
  );
  expect(purge?.steps.map(({ name, status }) => `${name} ${status}`)).toEqual([
    ...["membership failed", "migrations pending", "schema pending", "admin pending"],
    "record pending",
  ]);
  expect(await view(id)).toMatchObject({ status: "deleted" });
  expect((await post(id, "restore")).body).toMatchObject({ status: "active" });
  await saved();
  const { types } = await contentOf(fileState(state), await database.stackOf("in-use"));
  expect(types).toContain("Membership");
  await remove(id);
  await database.sql("drop view reports.totals");
  expect((await post(id, "purge", { slug: "in-use" })).status).toBe(204);
  await saved();
  expect(await tracesOf(id, "in-use")).toEqual(nothing);
});

test("a tenant whose time has come is purged by itself, and nobody asked", async () => {
  const [id, early] = [await made("due"), await made("not-due")];
  await remove(id);
  await remove(early);
  await database.sql("update public.service_tenants set purge_at = now() where id = $1", [id]);
  // The schedule's own job, which comes each minute, sent early.
  await database.sql("select graphile_worker.add_job('purge_due')");
  const operation = await eventually(async () => {
    const rows = await database.sql(
      "select kind, subject from public.operations where tenant_id = $1 and kind = 'purge' and status = 'succeeded'",
      [id],
    );
    return rows[0];
  });
  expect(operation).toEqual({ kind: "purge", subject: null });
  expect(await tracesOf(id, "due")).toEqual(nothing);
  expect(await view(early)).toMatchObject({ status: "deleted" });
});
