import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Client } from "pg";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { send, tenantBody } from "../support/service-client";
import { useServiceDatabase } from "../support/service-database";
import {
  eventually,
  startedBy,
  startServiceProcess,
  type ServiceProcess,
} from "../support/killable-service";
import { signed } from "../support/service-tokens";

const database = useServiceDatabase();
const directory = mkdtempSync(path.join(tmpdir(), "kills-"));
const state = path.join(directory, "state");
const migrations = path.join(directory, "migrations");
let service: ServiceProcess;
let token: string;

beforeAll(async () => {
  token = await signed({ expiresIn: 3_600 });
  cpSync(tenantMigrationsDir, migrations, { recursive: true });
  // Long enough to be met by a kill.
  writeFileSync(
    path.join(migrations, "20260101000099_slow.sql"),
    "-- migrate:up\nselect pg_sleep(2);\ncreate table slow (id int);\n-- migrate:down\ndrop table slow;\n",
  );
  mkdirSync(state);
  service = await start();
});
afterAll(async () => {
  await service.stop();
  rmSync(directory, { recursive: true });
});

const start = () =>
  startServiceProcess({
    DATABASE_URL: database.url(),
    PULUMI_BACKEND_URL: `file://${state}`,
    TENANT_MIGRATIONS_DIR: migrations,
    SETUP_CONCURRENCY: "2",
  });

/** Asks for a tenant and does not wait for it. */
async function ask(slug: string): Promise<string> {
  const { status, body } = await send(`${service.url}/api/tenant/setup`, {
    method: "POST",
    token,
    body: tenantBody({ slug, adminEmail: `ana@${slug}.example` }),
    headers: { Prefer: "respond-async" },
  });
  expect(status).toBe(202);
  return body.id ?? "";
}

/** What dbmate's connection waits in. */
const sleeping = "query like '%pg_sleep(2)%' and query not like '%pg_stat_activity%'";

async function migrating(): Promise<number> {
  return eventually(async () => {
    const [row] = await database.sql<{ pid: number }>(
      `select pid from pg_stat_activity where datname = current_database() and ${sleeping}`,
    );
    return row?.pid;
  });
}

/** That the operation succeeded in time, and that its tenant is as one that nothing disturbed. */
async function expectWhole(slug: string, id: string): Promise<void> {
  const status = await eventually(async () => {
    const [row] = await database.sql<{ status: string }>(
      "select status from public.operations where id = $1 and finished_at is not null",
      [id],
    );
    return row?.status;
  });
  expect({ status, log: status === "succeeded" ? "" : service.log() }).toEqual({
    status: "succeeded",
    log: "",
  });
  const tenants = await database.sql<{ id: string }>(
    `select id from public.tenants where slug = $1 and status = 'active'`,
    [slug],
  );
  expect(tenants).toHaveLength(1);
  const schema = `tenant_${tenants[0]?.id ?? ""}`;
  const [counts] = await database.sql(
    `select
      (select count(*)::int from pg_namespace where nspname = $1) as schemas,
      (select count(*)::int from pg_tables where schemaname = $1) as tables,
      (select count(*)::int from "${schema}".schema_migrations) as migrations,
      (select count(*)::int from public.users where email = $2) as users,
      (select count(*)::int from public.tenant_users
        where tenant_id::text = substr($1, 8)) as memberships`,
    [schema, `ana@${slug}.example`],
  );
  const files = readdirSync(migrations).length;
  expect(counts).toEqual({ schemas: 1, tables: 8, migrations: files, users: 1, memberships: 1 });
  const stack = await database.stackOf(slug);
  const checkpoint = JSON.parse(
    readFileSync(path.join(state, `.pulumi/stacks/tenant-service/${stack}.json`), "utf8"),
  ) as { checkpoint: { latest: { resources: { type: string }[]; pending_operations?: unknown } } };
  const { resources, pending_operations: pending } = checkpoint.checkpoint.latest;
  const types = resources.map(({ type }) => type.split(/[:/]/).at(-1));
  for (const type of ["Record", "AdminUser", "Schema", "Migrations", "Membership"]) {
    expect(types.filter((found) => found === type)).toEqual([type]);
  }
  expect(pending ?? []).toEqual([]);
  const locks = path.join(state, ".pulumi/locks/organization/tenant-service", stack);
  expect(lockFiles(locks)).toEqual([]);
  await eventually(async () => {
    const jobs = await database.sql("select from graphile_worker.jobs");
    return jobs.length === 0 ? true : undefined;
  });
}

function lockFiles(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

describe("while the migrations run, SIGKILL of", () => {
  test.each([
    ["the program host", /runs\/host\.js/],
    ["the Pulumi CLI", /pulumi up /],
    ["the dynamic provider", /dynamic-provider/],
    ["dbmate", /dbmate.* migrate/],
  ])("%s: the set-up is done again and succeeds", async (name, command) => {
    const slug = name.toLowerCase().replaceAll(" ", "-").slice(-15);
    const id = await ask(slug);
    await migrating();
    const hosts = startedBy(service.child.pid).filter((found) => command.test(found.command));
    expect(hosts.length).toBeGreaterThan(0);
    for (const { pid } of hosts) process.kill(pid, "SIGKILL");
    await expectWhole(slug, id);
  });

  test("dbmate's PostgreSQL backend: the set-up is done again and succeeds", async () => {
    const id = await ask("backend");
    await database.asSuperuser(`select pg_terminate_backend(${await migrating()})`);
    await expectWhole("backend", id);
  });

  test("every connection to the database: the set-up is done again and succeeds", async () => {
    const id = await ask("all-backends");
    await migrating();
    const { username } = new URL(database.url());
    await database.asSuperuser(
      `select pg_terminate_backend(pid) from pg_stat_activity
      where usename = '${username}' and application_name <> ''`,
    );
    await expectWhole("all-backends", id);
  });

  test("the service: the next one ends what was left running, and does it again", async () => {
    const id = await ask("service");
    await migrating();
    const killed = service;
    await killed.kill();
    service = await start();
    await expectWhole("service", id);
    expect(startedBy(killed.child.pid)).toEqual([]);
  });
});

describe("the service is killed", () => {
  test.each([
    ["record", "tenants"],
    ["admin", "users"],
    ["membership", "tenant_users"],
  ])("in step %s", async (step, table) => {
    const slug = `in-${step}`;
    const holder = new Client(database.url());
    await holder.connect();
    await holder.query("begin");
    await holder.query(`lock table public.${table} in share row exclusive mode`);
    const id = await ask(slug);
    await eventually(async () => {
      const waiting = await database.sql(
        "select from pg_stat_activity where wait_event_type = 'Lock' and wait_event = 'relation'",
      );
      return waiting.length > 0 ? true : undefined;
    });
    await service.kill();
    await holder.end();
    service = await start();
    await expectWhole(slug, id);
  });

  test.each([
    ["record", "select from public.tenants where slug = $1"],
    ["admin", "select from public.tenants where slug = $1 and admin_user_id is not null"],
    [
      "schema",
      "select from public.tenants t join pg_namespace on nspname = 'tenant_' || t.id where slug = $1",
    ],
    ["membership", "select from public.tenants where slug = $1 and status = 'active'"],
  ])("as step %s is committed", async (step, done) => {
    const slug = `after-${step}`;
    const id = await ask(slug);
    await eventually(async () =>
      (await database.sql(done, [slug])).length > 0 ? true : undefined,
    );
    await service.kill();
    service = await start();
    await expectWhole(slug, id);
  });
});
