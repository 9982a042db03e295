import { randomUUID } from "node:crypto";
import path from "node:path";
import { pino } from "pino";
import { obtainEngine, type Engine } from "../../engine/obtain/obtain";
import { hashPassword } from "../../provider/contract/passwords";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import type { RunOutcome } from "../../service/pulumi/engine-runs";
import { engineEnvironment } from "../../service/pulumi/engine-environment";
import { startRuns } from "../../service/pulumi/runs";
import { fastest } from "../../service/config/engine-options";
import { stacksOf } from "../../service/pulumi/stacks/stacks";
import { wantedBySlug } from "../../service/tenants/wanted";
import type { TenantSpec } from "../../service/tenants/wanted-tenant";
import { tenantBody } from "../support/service-client";
import { useServiceDatabase } from "../support/service-database";
import { cleanUpServices, temporaryFolder } from "../support/service-process";

const database = useServiceDatabase();
let engine: Engine;
let state: string;
let adminPassword: string;

beforeAll(async () => {
  engine = await obtainEngine(() => undefined);
  state = temporaryFolder("cut-off-state-");
  adminPassword = await hashPassword("a quiet purple river", "cut off");
});
afterAll(cleanUpServices);

const engineOptions = { ...fastest, prestartedRuns: 0, spareStacks: 0 };

/** A host of test/support in the place of the real one, and what it is told by its environment. */
interface BadHost {
  readonly program: "cut-off-host" | "forgetful-host";
  readonly env?: Record<string, string>;
}

/** Brings a tenant up, in a process of its own. */
async function run(
  slug: string,
  { bad, mayGo = false }: { bad?: BadHost; mayGo?: boolean } = {},
): Promise<RunOutcome> {
  const env = engineEnvironment({
    engine: engine.env,
    databaseUrl: database.url(),
    backendUrl: `file://${state}`,
    passphrase: "a passphrase for tests",
    migrationsDir: tenantMigrationsDir,
    engineOptions,
  });
  const runs = startRuns({
    ...{
      pulumi: engine.pulumi,
      root: temporaryFolder("cut-off-"),
      size: 1,
      engineOptions,
      timeoutMs: 120_000,
    },
    stacks: stacksOf(database.handle, randomUUID()),
    providers: undefined,
    log: pino({ level: "silent" }),
    env: { ...env, ...bad?.env },
    ...(bad && { program: path.resolve(__dirname, `../support/${bad.program}.js`) }),
  });
  const known = await wantedBySlug(database.handle.query, slug);
  const id = known?.id ?? (await database.addWanted(slug));
  const spec = { ...tenantBody({ slug }), adminPassword } as unknown as TenantSpec;
  const tenants = [{ ...spec, key: id, id }];
  const mayDelete = mayGo ? [id] : [];
  return runs.run({ tenantId: id, tenants, mayDelete }).finally(() => runs.close("finished"));
}

const succeeded = { result: "succeeded" };

const idOf = async (slug: string) =>
  (await database.sql<{ id: string }>("select id from public.tenants where slug = $1", [slug]))[0]
    ?.id ?? "none";

/** How a tenant is, and a bystander that nobody touches. */
const tenants = (slug: string) =>
  database.sql(
    `select t.id, t.slug, t.status, u.email,
      (select count(*)::int from public.tenant_users m where m.tenant_id = t.id) as members,
      (select count(*)::int from pg_tables where schemaname = 'tenant_' || t.id) as tables
    from public.tenants t join public.users u on u.id = t.admin_user_id
    where slug in ($1, 'bystander') order by slug`,
    [slug],
  );

beforeAll(async () => {
  await database.addTenant("bystander");
});

describe("a run whose call to the engine is cut off has failed, and takes nothing away:", () => {
  test.each([
    ["SupportsFeature", "14 UNAVAILABLE"],
    ["SetRootResource", "14 UNAVAILABLE"],
    ["SetRootResource", "1 CANCELLED"],
    ["RegisterResource", "14 UNAVAILABLE"],
    ["RegisterResourceOutputs", "14 UNAVAILABLE"],
  ])("%s, with %s", async (method, code) => {
    const [number = "", name = ""] = code.split(" ");
    const slug = `${method.toLowerCase()}-${number}`;
    expect(await run(slug)).toEqual(succeeded);
    const before = await tenants(slug);
    const env = { CUT_OFF: `${method} ${name}` };
    expect(await run(slug, { bad: { program: "cut-off-host", env } })).toEqual({
      result: "interrupted",
      faults: [`the program was cut off from the engine: ${code}: Connection dropped`],
    });
    expect(await tenants(slug)).toEqual(before);
    expect(await run(slug)).toEqual(succeeded);
    expect(await tenants(slug)).toEqual(before);
  });
});

describe("a run that leaves its tenant out", () => {
  const bad: BadHost = { program: "forgetful-host" };

  test("fails before it deletes anything", async () => {
    expect(await run("kept", { mayGo: true })).toEqual(succeeded);
    // A state of before it was protected becomes so by the next run, which changes nothing else.
    expect(await run("kept")).toEqual(succeeded);
    const before = await tenants("kept");
    expect(await run("kept", { bad })).toMatchObject({
      result: "failed",
      faults: expect.arrayContaining([
        expect.stringMatching(/cannot be deleted|protected/),
      ]) as unknown,
    });
    expect(await tenants("kept")).toEqual(before);
  });

  test("that is no longer protected has not succeeded, and the next run restores it", async () => {
    expect(await run("unguarded")).toEqual(succeeded);
    expect(await run("unguarded", { mayGo: true })).toEqual(succeeded);
    const before = await tenants("unguarded");
    await database.sql(
      `insert into "tenant_${await idOf("unguarded")}".schema_migrations values ('kept')`,
    );
    expect(await run("unguarded", { bad })).toEqual({
      result: "interrupted",
      faults: ["the run deleted 6 resources, which nobody asked for"],
    });
    expect(await tenants("unguarded")).toContainEqual(
      expect.objectContaining({ slug: "unguarded", status: "deleted" }),
    );
    expect(await run("unguarded")).toEqual(succeeded);
    expect(await tenants("unguarded")).toEqual(before);
    const kept = await database.sql(
      `select from "tenant_${await idOf("unguarded")}".schema_migrations where version = 'kept'`,
    );
    expect(kept).toHaveLength(1);
    // And from then on it is protected.
    expect(await run("unguarded", { bad })).toMatchObject({ result: "failed" });
    expect(await tenants("unguarded")).toEqual(before);
  });
});

test("what is protected is repaired all the same", async () => {
  expect(await run("drifts")).toEqual(succeeded);
  const before = await tenants("drifts");
  const id = await idOf("drifts");
  await database.sql("delete from public.tenant_users where tenant_id = $1", [id]);
  await database.sql("update public.tenants set status = 'deleted' where id = $1", [id]);
  expect(await run("drifts")).toEqual(succeeded);
  expect(await tenants("drifts")).toEqual(before);
});
