import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { text } from "node:stream/consumers";
import { obtainEngine } from "../../engine/obtain/obtain";
import { readArchive } from "../../provider/archive/read";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { download, sumsOf } from "../support/archives";
import { addHoldPoints, hold, type HoldPoint } from "../support/hold-points";
import { startServiceProcess, type KillableService } from "../support/killable-service";
import { tenant, usePulumiProject } from "../support/pulumi";
import { fileState } from "../support/pulumi-state";
import { postSetUp, tenantBody } from "../support/service-client";
import { useServiceDatabase } from "../support/service-database";
import { cleanUpServices, temporaryFolder } from "../support/service-process";
import { signed } from "../support/service-tokens";
import { previewOf } from "../support/whole-tenant";

/** A tenant goes out over HTTP and comes in again by the command, on the real engine. */

// Before the database's own, which drops it: they run in this order.
afterAll(cleanUpServices);
const database = useServiceDatabase({ migrated: false });
const ROWS = 200_000;
const folder = temporaryFolder("export-import-");
const state = temporaryFolder("export-import-state-");
const [large, small] = [path.join(folder, "large.tar"), path.join(folder, "small.tar")];
let engine: Record<string, string>;
let service: KillableService;
let token: string;

beforeAll(async () => {
  engine = (await obtainEngine(() => undefined)).env;
  token = await signed({ expiresIn: 3_600, claims: { sub: "ana", role: "SUPER_ADMIN" } });
  service = await startServiceProcess({
    DATABASE_URL: database.url(),
    PULUMI_BACKEND_URL: `file://${state}`,
    SETUP_WAIT: "120",
  });
});

async function made(slug: string): Promise<string> {
  const body = tenantBody({ slug, adminEmail: `ana@${slug}.example` });
  const answer = await postSetUp(service.url, token, body);
  expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 201 });
  return answer.body.id ?? "";
}

const exportOf = (id: string) => `${service.url}/api/tenant/${id}/export`;

/** Starts the command. */
function start(args: readonly string[], env: Record<string, string> = {}) {
  const script = path.resolve(__dirname, "../../service/import.js");
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, [script, ...args], {
    env: {
      ...{ PATH, HOME, ...engine, DATABASE_URL: database.url() },
      PULUMI_BACKEND_URL: `file://${state}`,
      PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests",
      TENANT_MIGRATIONS_DIR: tenantMigrationsDir,
      ...env,
    },
  });
  const exited = once(child, "exit");
  const ended = Promise.all([text(child.stdout), text(child.stderr), exited]).then(
    ([stdout, stderr, [code]]) => ({ code: code as number | null, stdout, stderr }),
  );
  return { child, exited, ended };
}

const run = (args: readonly string[], env: Record<string, string> = {}) => start(args, env).ended;

const idOf = async (slug: string) =>
  (await database.sql<{ id: string }>("select id from public.tenants where slug = $1", [slug]))[0]
    ?.id ?? "";

/** That there is one whole tenant, with these rows, and that nothing of the import is left to do. */
async function expectImported(slug: string, source: string): Promise<void> {
  const id = await idOf(slug);
  expect(await sumsOf(database, `tenant_${id}`)).toEqual(
    await sumsOf(database, `tenant_${source}`),
  );
  const facts = await database.sql(
    `select t.status, w.generation = t.generation as "isNewest", w.spec ? 'importFrom' as "isOpen",
      (select count(*)::int from public.tenant_users where tenant_id = t.id) as members,
      (select count(*)::int from public.service_tenants where slug = $1) as wanted,
      (select array_agg(status) from public.operations o where o.tenant_id = t.id) as operations
    from public.tenants t join public.service_tenants w on w.id = t.id where t.slug = $1`,
    [slug],
  );
  expect(facts).toEqual([
    {
      ...{ status: "active", isNewest: true, isOpen: false, members: 1, wanted: 1 },
      operations: ["succeeded"],
    },
  ]);
  expect(await previewOf(database, fileState(state), id)).toEqual({
    same: expect.any(Number) as number,
  });
}

function residentMb(pid: number | undefined): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
}

let source: string;
let little: string;

test("a tenant of 100 MB is exported in less than 64 MB of memory", async () => {
  little = await made("little");
  await database.sql(
    `insert into "tenant_${little}".commerces (name, address) select 'n' || n, 'a' from generate_series(1, 20) n`,
  );
  expect((await download(exportOf(little), token, small)).status).toBe(200);
  source = await made("source");
  await database.sql(
    `insert into "tenant_${source}".commerces (name, address)
    select 'n' || n, repeat(md5(n::text), 14) from generate_series(1, ${ROWS}) n`,
  );
  const before = residentMb(service.child.pid);
  let most = before;
  const watching = setInterval(() => (most = Math.max(most, residentMb(service.child.pid))), 20);
  const { status } = await download(exportOf(source), token, large);
  clearInterval(watching);
  expect(status).toBe(200);
  const { manifest } = await readArchive(large);
  const commerces = manifest.tables.find(({ name }) => name === "commerces");
  expect(commerces?.rows).toBe(ROWS);
  expect(commerces?.bytes).toBeGreaterThan(100 * 1_024 * 1_024);
  process.stderr.write(
    `export of 100 MB: ${before.toFixed(0)} MB before, ${most.toFixed(0)} MB at most\n`,
  );
  expect(most - before).toBeLessThan(64);
});

test("a tenant of 200,000 rows comes in under another slug with every row, while the service works on", async () => {
  const password = "a quiet purple river";
  const args = [large, "--slug", "copy", "--name", "The Copy", "--admin-email", "eva@copy.example"];
  const { code, stdout, stderr } = await run(args, { ADMIN_PASSWORD: password });
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stdout).toBe(`copy (${await idOf("copy")}) is active: ${ROWS} rows\n`);
  expect(stdout + stderr).not.toContain(password);
  await expectImported("copy", source);
  const people = await database.sql(
    `select email, first_name, password_hash is not null as "hasPassword" from public.users
    where email in ('eva@copy.example', 'ana@source.example') order by email desc`,
  );
  expect(people).toEqual([
    { email: "eva@copy.example", first_name: "Ana", hasPassword: true },
    { email: "ana@source.example", first_name: "Ana", hasPassword: true },
  ]);
  // The same command once more changes nothing.
  expect((await run(args)).code).toBe(0);
  await expectImported("copy", source);
});

test("an import without a password links who has the e-mail, and makes an admin without one else", async () => {
  expect(await run([small, "--slug", "linked"])).toMatchObject({ code: 0 });
  const fresh = [small, "--slug", "fresh", "--admin-email", "new@fresh.example"];
  expect(await run(fresh)).toMatchObject({ code: 0 });
  const admins = await database.sql(
    `select t.slug, u.email, u.password_hash is null as "hasNone" from public.tenants t
    join public.users u on u.id = t.admin_user_id where t.slug in ('linked', 'fresh') order by 1`,
  );
  expect(admins).toEqual([
    { slug: "fresh", email: "new@fresh.example", hasNone: true },
    { slug: "linked", email: "ana@little.example", hasNone: false },
  ]);
});

describe("a stack whose tenant names an archive", () => {
  const project = usePulumiProject("examples/three-tenants", [
    "Pulumi.yaml",
    "package.json",
    "index.js",
  ]);
  const sums = async (slug: string) => {
    const [row] = await project.sql<{ id: string }>("select id from tenants where slug = $1", [
      slug,
    ]);
    return sumsOf(project, `tenant_${row?.id ?? ""}`);
  };

  test("makes it with every row, once, and has nothing to do when the archive is gone", async () => {
    const archive = path.join(project.directory, "small.tar");
    cpSync(small, archive);
    await project.configure([tenant("moved", { importFrom: "small.tar" }), tenant("empty")]);
    await project.run("up", "--yes", "--skip-preview");
    expect(await sums("moved")).toEqual(await sumsOf(database, `tenant_${little}`));
    expect(await sums("empty")).not.toEqual(await sums("moved"));
    await project.run("preview", "--expect-no-changes");
    rmSync(archive);
    await project.configure([tenant("moved"), tenant("empty")]);
    await project.run("preview", "--refresh", "--expect-no-changes");
  });
});

test("what cannot be imported is refused before anything is made", async () => {
  const count = async () => (await database.sql("select count(*)::int from public.tenants"))[0];
  const before = await count();
  const migrations = temporaryFolder("other-migrations-");
  const cut = path.join(folder, "cut.tar");
  cpSync(tenantMigrationsDir, migrations, { recursive: true });
  writeFileSync(path.join(migrations, "20990101000001_more.sql"), "-- migrate:up\nselect 1;\n");
  writeFileSync(cut, readFileSync(small).subarray(0, 2_048));
  const refused = async (args: string[], env?: Record<string, string>) => {
    const { code, stderr } = await run(args, env);
    return [code, stderr] as const;
  };
  expect(await refused([small, "--slug", "x-y"], { TENANT_MIGRATIONS_DIR: migrations })).toEqual([
    1,
    expect.stringContaining(
      `${small} is of other migrations: 20990101000001_more.sql is not in the archive`,
    ),
  ]);
  expect(await refused([cut, "--slug", "x-y"])).toEqual([1, expect.stringContaining("cut.tar")]);
  expect(await refused([small, "--slug", "x-y"], { TENANT_ROLES: "true" })).toEqual([
    1,
    expect.stringContaining("TENANT_ROLES is set"),
  ]);
  expect(await refused([small, "--slug", "source"])).toEqual([
    1,
    expect.stringContaining("The slug source is taken"),
  ]);
  expect(await refused([small, "--slug", "No"])).toEqual([2, expect.stringContaining("--slug")]);
  expect(await refused([small])).toEqual([2, expect.stringContaining("--slug is missing")]);
  expect(await refused([small, "--slug", "x-y", "--passwort", "x"])).toEqual([
    2,
    expect.stringContaining("--help"),
  ]);
  const weak = await refused([small, "--slug", "x-y"], { ADMIN_PASSWORD: "hunter2" });
  expect(weak).toEqual([2, expect.stringContaining("ADMIN_PASSWORD must have at least 8")]);
  expect(weak[1]).not.toContain("hunter2");
  expect((await run(["--help"])).stdout).toContain("npm run import -- FILE --slug SLUG");
  expect(await count()).toEqual(before);
});

describe("an importer that is killed", () => {
  beforeAll(async () => {
    await service.stop();
    await addHoldPoints(database);
  });

  test.each<HoldPoint>([
    "before create table",
    "before loading",
    "in loading",
    "before tenant_users",
    "before succeeded",
  ])("%s is gone on with by the same command, and nothing is loaded twice", async (point) => {
    const slug = `killed-${point.replaceAll(/[ _]/g, "-")}`;
    const held = await hold(database, point);
    const first = start([small, "--slug", slug]);
    try {
      await held.reached();
      first.child.kill("SIGKILL");
      await first.exited;
    } finally {
      await held.release();
    }
    const { code, stderr } = await run([small, "--slug", slug]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    await expectImported(slug, little);
  });
});
