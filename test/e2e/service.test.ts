import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import * as argon2 from "argon2";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { postSetUp, send, tenantBody, type Answer } from "../support/service-client";
import { addHoldPoints, hold } from "../support/hold-points";
import { eventually } from "../support/killable-service";
import { pgrep } from "../support/pgrep";
import { useServiceDatabase } from "../support/service-database";
import {
  cleanUpServices,
  serviceEnvironment,
  startService,
  temporaryFolder,
  type ServiceProcess,
} from "../support/service-process";
import { signed } from "../support/service-tokens";

const database = useServiceDatabase({ migrated: false });
const password = "a quiet purple river";
let service: ServiceProcess;
let env: ReturnType<typeof serviceEnvironment>;
let migrations: string;
let token: string;
let base: string;

beforeAll(async () => {
  migrations = temporaryFolder("service-migrations-");
  cpSync(tenantMigrationsDir, migrations, { recursive: true });
  env = {
    ...serviceEnvironment(database.url()),
    TENANT_MIGRATIONS_DIR: migrations,
    SETUP_WAIT: "120",
    RATE_LIMIT: "10000",
  };
  token = await signed({ expiresIn: 3_600 });
  await restart();
  await addHoldPoints(database);
});
afterAll(cleanUpServices);

async function restart(): Promise<void> {
  service = startService(env);
  base = await service.url;
}

const post = (changes: Record<string, unknown>): Promise<Answer> =>
  postSetUp(base, token, tenantBody({ adminPassword: password, ...changes }));

/** The process ids of the CLI's runs of one stack. */
async function cliRuns(slug: string): Promise<number[]> {
  return pgrep("-f", `pulumi up .*--stack ${await database.stackOf(slug)} `);
}

const locks = ".pulumi/locks/organization/tenant-service";

/** The files by which the stack is locked. */
async function locksOf(slug: string): Promise<string[]> {
  const folder = path.join(env.state, locks, await database.stackOf(slug));
  return readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .map((file) => path.join(folder, file));
}

/** Resolves when the engine is done with the slug, which is after its caller is answered. */
async function settled(slug: string): Promise<void> {
  await eventually(async () => {
    const alive = await database.sql(
      "select from public.operations where slug = $1 and finished_at is null",
      [slug],
    );
    return alive.length === 0 ? true : undefined;
  });
}

/** Resolves when the service takes no requests any more. */
async function closed(): Promise<void> {
  await eventually(() =>
    send(`${base}/healthz`).then(
      () => undefined,
      () => true,
    ),
  );
}

/** Resolves when the service has logged the text, which may be just after it answered. */
async function logged(text: string): Promise<void> {
  await eventually(() => (service.output().includes(text) ? true : undefined));
}

describe("a set-up", () => {
  let answer: Answer;
  beforeAll(async () => {
    answer = await post({ slug: "acme", name: 'Acme\'s "Corp" 🏢 $(x) ../' });
  });

  test("answers 201 with the tenant, which is then found at its address", async () => {
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      name: 'Acme\'s "Corp" 🏢 $(x) ../',
      slug: "acme",
    });
    const found = await send(base + (answer.headers.get("location") ?? ""), { token });
    expect(found.body).toMatchObject({ ...answer.body, status: "active" });
  });

  test("makes all five steps", async () => {
    const id = answer.body.id ?? "";
    const [tenant] = await database.sql<{ status: string; owner: string; admin: string }>(
      "select status, owner, admin_user_id as admin from public.tenants where id = $1",
      [id],
    );
    expect(tenant).toMatchObject({
      status: "active",
      owner: `organization/tenant-service/${await database.stackOf("acme")}::${id}`,
    });
    const [user] = await database.sql<{ id: string; password_hash: string }>(
      "select id, email, first_name, last_name, password_hash from public.users",
    );
    expect(user).toMatchObject({
      id: tenant?.admin,
      email: "ana@acme.example",
      first_name: "Ana",
      last_name: "Diaz",
    });
    expect(await argon2.verify(user?.password_hash ?? "", password)).toBe(true);
    const tables = await database.sql<{ name: string }>(
      "select table_name as name from information_schema.tables where table_schema = $1 order by 1",
      [`tenant_${id}`],
    );
    expect(tables.map(({ name }) => name)).toEqual([
      "activities",
      "activity_results",
      "commerces",
      "dispatch_providers",
      "operators",
      "routes",
      "schema_migrations",
    ]);
    const applied = await database.sql(`select version from "tenant_${id}".schema_migrations`);
    expect(applied).toHaveLength(readdirSync(migrations).length);
    const members = await database.sql(
      "select user_id, role from public.tenant_users where tenant_id = $1",
      [id],
    );
    expect(members).toEqual([{ user_id: tenant?.admin, role: "ADMIN" }]);
  });

  test("sent again is 409, and changes nothing", async () => {
    const count = "select count(*)::int from public.tenants";
    const before = await database.sql(count);
    expect((await post({ slug: "acme" })).status).toBe(409);
    expect(await database.sql(count)).toEqual(before);
  });

  test("leaves no secret in the state and in the log", () => {
    const state = execFileSync("grep", ["-rlF", "tenant-service", env.state]).toString();
    expect(state.trim().split("\n").length).toBeGreaterThan(1);
    for (const secret of [password, new URL(database.url()).password, env.JWT_SECRET ?? "?"]) {
      expect(() => execFileSync("grep", ["-rlF", secret, env.state])).toThrow();
      expect(service.output()).not.toContain(secret);
    }
    expect(service.output()).not.toContain("$argon2id$");
    expect(service.output()).not.toContain(token);
  });
});

test("an admin whose e-mail is there is linked, with the password and names they have", async () => {
  const before = await database.sql("select * from public.users where email = 'ana@acme.example'");
  const { status, body } = await post({
    slug: "second",
    adminEmail: "ANA@ACME.EXAMPLE",
    adminPassword: "quite another password",
    adminFirstName: "Mallory",
  });
  expect(status).toBe(201);
  expect(
    await database.sql("select * from public.users where lower(email) = 'ana@acme.example'"),
  ).toEqual(before);
  const members = await database.sql<{ user_id: string }>(
    "select user_id from public.tenant_users where tenant_id = $1",
    [body.id],
  );
  expect(members.map(({ user_id }) => user_id)).toEqual(
    before.map((user) => (user as { id: string }).id),
  );
});

test("hostile text is stored as it is", async () => {
  const requests = [
    {
      slug: "hostile-1",
      name: "x'); drop table public.tenants; --",
      adminEmail: "o'brien+{x}|$y@acme.example",
      adminPassword: "$(id) ${HOME} `id` {{x}} %s",
      adminFirstName: `O'Brien "the" \`first\``,
      adminLastName: "../../etc/passwd",
    },
    {
      slug: "hostile-2",
      name: "$(id) ${HOME} `id` {{x}} %s",
      adminEmail: "`x`*&!#@acme.example",
      adminPassword: "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
      adminFirstName: "4dabf18193072939515e22adb298388d",
      adminLastName: "𝔘nicode 🏢",
    },
  ];
  const answers = await Promise.all(requests.map(post));
  expect(answers.map(({ status }) => status)).toEqual([201, 201]);
  for (const { adminPassword, ...others } of requests) {
    const [row] = await database.sql<{ hash: string }>(
      `select t.slug, t.name, u.email as "adminEmail", u.first_name as "adminFirstName",
        u.last_name as "adminLastName", u.password_hash as hash
      from public.tenants t join public.users u on u.id = t.admin_user_id where slug = $1`,
      [others.slug],
    );
    expect(row).toMatchObject(others);
    expect(await argon2.verify(row?.hash ?? "", adminPassword)).toBe(true);
  }
});

test("50 requests at once for one slug make one tenant", async () => {
  const answers = await Promise.all(Array.from({ length: 50 }, () => post({ slug: "race" })));
  expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array<number>(49).fill(409)]);
  expect(await database.sql("select from public.tenants where slug = 'race'")).toHaveLength(1);
  const schemas = await database.sql(
    `select from pg_namespace n join public.tenants t on n.nspname = 'tenant_' || t.id
    where t.slug = 'race'`,
  );
  expect(schemas).toHaveLength(1);
});

describe("a migration that fails", () => {
  const file = "20260101000004_create_activities.sql";
  let reference: string | undefined;

  beforeAll(async () => {
    writeFileSync(
      path.join(migrations, file),
      `-- migrate:up
      create table x as select 'a row of theirs' as id from generate_series(1, 2);
      create unique index x_id on x (id);\n-- migrate:down\n`,
    );
    const { status, body } = await post({ slug: "mended" });
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toMatch(/migration|sql|index|tenant_|DETAIL|theirs/);
    [, reference] = /by reference ([0-9a-f-]{36})/.exec(body.message ?? "") ?? [];
  });

  test("is in the operator's log with its file, PostgreSQL's message and the reference", async () => {
    await logged("the set-up of tenant mended failed");
    const line = service.log().find((entry) => entry.reference === reference);
    expect(line).toMatchObject({ level: 50, msg: "the set-up of tenant mended failed" });
    expect(JSON.stringify(line)).toContain(file);
    expect(JSON.stringify(line)).toContain(
      "(23505). DETAIL: Key (id)=(a row of theirs) is duplicated",
    );
  });

  test("leaves a tenant that is in no list unless it is asked for, and that the same request finishes once it is mended", async () => {
    const [unfinished] = await database.sql<{ id: string; status: string }>(
      "select id, status from public.tenants where slug = 'mended'",
    );
    expect(unfinished?.status).toBe("provisioning");
    const listed = await send(`${base}/api/tenant?q=mended`, { token });
    expect(listed.body).toMatchObject({ data: [], meta: { total: 0 } });
    const asked = await send(`${base}/api/tenant?q=mended&status=provisioning`, { token });
    expect(asked.body).toMatchObject({ data: [{ id: unfinished?.id }], meta: { total: 1 } });

    cpSync(path.join(tenantMigrationsDir, file), path.join(migrations, file));
    const { status, body } = await post({ slug: "mended" });
    expect(status).toBe(201);
    expect(body.id).toBe(unfinished?.id);
    const applied = await database.sql(
      `select version from "tenant_${body.id ?? ""}".schema_migrations`,
    );
    expect(applied).toHaveLength(readdirSync(migrations).length);
  });
});

test("a CLI that is killed is run again by itself, over its own lock", async () => {
  const held = await hold(database, "before users");
  const first = post({ slug: "killed" });
  try {
    await held.reached();
    const clis = await cliRuns("killed");
    expect(clis).toHaveLength(1);
    for (const pid of clis) process.kill(pid, "SIGKILL");
    await eventually(async () => !(await cliRuns("killed")).includes(clis[0] ?? 0) || undefined);
  } finally {
    await held.release();
  }
  const answer = await first;
  expect(answer.status).toBe(201);
  const rows = await database.sql("select id, status from public.tenants where slug = 'killed'");
  expect(rows).toEqual([{ id: answer.body.id, status: "active" }]);
  await settled("killed");
  expect(await locksOf("killed")).toEqual([]);
});

test("a lock whose holder may be alive is left alone: 503, and the log says why", async () => {
  const broken = path.join(migrations, "29990101000001_broken.sql");
  writeFileSync(broken, "-- migrate:up\nnonsense;\n-- migrate:down\n");
  expect((await post({ slug: "held" })).status).toBe(500);
  rmSync(broken);
  const folder = path.join(env.state, locks, await database.stackOf("held"));
  const file = path.join(folder, "660e8400-e29b-41d4-a716-446655440000.json");
  const holder = { pid: 1, username: "somebody", hostname: "elsewhere", timestamp: new Date() };
  writeFileSync(file, JSON.stringify(holder));

  expect((await post({ slug: "held" })).status).toBe(503);
  expect(await locksOf("held")).toEqual([file]);
  await logged("the stack of tenant held is locked");

  rmSync(file);
  expect((await post({ slug: "held" })).status).toBe(201);
});

test("a state that the database no longer agrees with is brought up to it", async () => {
  const first = await post({ slug: "wiped" });
  await settled("wiped");
  await database.sql("delete from public.tenant_users where tenant_id = $1", [first.body.id]);
  await database.sql("delete from public.tenants where id = $1", [first.body.id]);
  const again = await post({ slug: "wiped" });
  expect(again).toMatchObject({ status: 201, body: { id: first.body.id } });
  await settled("wiped");
});

test("data that is gone fails its set-up, at once and for good, until somebody gives it up", async () => {
  const first = await post({ slug: "dropped" });
  await settled("dropped");
  const schema = `tenant_${first.body.id ?? ""}`;
  await database.sql("delete from public.tenant_users where tenant_id = $1", [first.body.id]);
  await database.sql("delete from public.tenants where id = $1", [first.body.id]);
  await database.sql(`drop schema "${schema}" cascade`);
  expect((await post({ slug: "dropped" })).status).toBe(500);
  await logged(`DATA_GONE: of tenant dropped is gone: schema ${schema}`);
  const operations = await database.sql(
    "select status, retries from public.operations where slug = 'dropped' order by created_at",
  );
  expect(operations).toEqual([
    { status: "succeeded", retries: 0 },
    { status: "failed", retries: 0 },
  ]);
  expect(await database.sql("select from pg_namespace where nspname = $1", [schema])).toEqual([]);

  await database.sql("delete from public.tenant_migration_digests where schema_name = $1", [
    schema,
  ]);
  expect((await post({ slug: "dropped" })).status).toBe(201);
  const tables = await database.sql("select from pg_tables where schemaname = $1", [schema]);
  expect(tables).toHaveLength(7);
});

test("without its database the service answers 503, and works again when it is back", async () => {
  const { username } = new URL(database.url());
  await database.asSuperuser(`alter role ${username} connection limit 0`);
  await database.asSuperuser(
    `select pg_terminate_backend(pid) from pg_stat_activity
    where usename = '${username}' and application_name = 'pulumi-tenant'`,
  );
  const down = await post({ slug: "patient" });
  const ready = await send(`${base}/readyz`);
  await database.asSuperuser(`alter role ${username} connection limit -1`);
  expect(down.status).toBe(503);
  expect(ready.body.details).toEqual([{ path: "database", message: "does not work" }]);
  await logged("the database is down: ");
  expect((await post({ slug: "patient" })).status).toBe(201);
});

test("without its state backend set-ups wait, and are saved when it is back", async () => {
  renameSync(env.state, `${env.state}.away`);
  writeFileSync(env.state, "");
  // Two may have runs that were begun ahead, which need the backend at their end only.
  const slugs = ["stateless-1", "stateless-2", "stateless-3"];
  const answers = Promise.all(slugs.map((slug) => post({ slug })));
  await logged("the Pulumi engine is down: ");
  rmSync(env.state);
  renameSync(`${env.state}.away`, env.state);
  expect((await answers).map(({ status }) => status)).toEqual([201, 201, 201]);
  for (const slug of slugs) {
    await settled(slug);
    const stack = `.pulumi/stacks/tenant-service/${await database.stackOf(slug)}.json`;
    expect(readFileSync(path.join(env.state, stack), "utf8")).toContain("tenant:Membership");
  }
});

describe("the end of the service", () => {
  test("finishes what runs, takes nothing new, and is clean", async () => {
    const held = await hold(database, "before users");
    const running = post({ slug: "finished" });
    try {
      await held.reached();
      service.signal("SIGTERM");
      await closed();
      await expect(post({ slug: "refused" })).rejects.toThrow("fetch failed");
    } finally {
      await held.release();
    }
    expect((await running).status).toBe(201);
    expect(await service.ended).toBe(0);
    const rows = await database.sql(
      "select slug, status from public.tenants where slug ~ '^(fin|ref)'",
    );
    expect(rows).toEqual([{ slug: "finished", status: "active" }]);
  });

  test("does not wait for a program host that died idle", async () => {
    await restart();
    const children = (...what: string[]) => pgrep("-P", String(service.child.pid), ...what);
    await eventually(() => children("-f", "pulumi/host.js").length > 0 || undefined);
    const killed = children();
    for (const pid of killed) process.kill(pid, "SIGKILL");
    await eventually(() => !children().some((pid) => killed.includes(pid)) || undefined);
    service.signal("SIGTERM");
    expect(await service.ended).toBe(0);
  });

  test("is hurried by a second signal; the next start goes on", async () => {
    await restart();
    const held = await hold(database, "before users");
    const running = post({ slug: "hurried" }).catch(() => undefined);
    try {
      await held.reached();
      expect(await cliRuns("hurried")).toHaveLength(1);
      service.signal("SIGINT");
      await closed();
      // The same one again at once would count as a copy of the first.
      service.signal("SIGTERM");
      expect(await service.ended).toBe(1);
      expect(await cliRuns("hurried")).toEqual([]);
    } finally {
      await held.release();
    }
    await running;
    await restart();
    // By itself: nobody has to ask again.
    const active = "select from public.tenants where slug = 'hurried' and status = 'active'";
    await eventually(async () => (await database.sql(active)).length > 0 || undefined);
    expect((await post({ slug: "hurried" })).status).toBe(409);
  });
});

test("two services on one database that start at once both serve, and share the slugs", async () => {
  service.signal("SIGTERM");
  await service.ended;
  const { username } = new URL(database.url());
  await database.asSuperuser(
    `drop schema public, graphile_worker cascade; create schema public;
    grant usage, create on schema public to ${username}`,
  );
  const others = [
    startService(env),
    startService({ ...env, ...serviceEnvironment(database.url()) }),
  ];
  const bases = await Promise.all(others.map(({ url }) => url));
  const answers = await Promise.all(
    [...bases, ...bases].map((url) => postSetUp(url, token, tenantBody({ slug: "shared" }))),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409]);
});
