import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { tenant, usePulumiProject } from "../support/pulumi";

const project = usePulumiProject("examples/three-tenants", [
  "Pulumi.yaml",
  "package.json",
  "index.js",
]);

const rowOf = async (slug: string) =>
  (
    await project.sql<{ id: string; status: string; members: string; tables: string }>(
      `select id, status,
        (select count(*) from tenant_users m where m.tenant_id = t.id) as members,
        (select count(*) from pg_tables where schemaname = 'tenant_' || t.id) as tables
      from tenants t where slug = $1`,
      [slug],
    )
  )[0];
const schemaOf = async (slug: string) => `tenant_${(await rowOf(slug))?.id ?? ""}`;
const whole = { status: "active", members: "1", tables: "7" };
const bystander = tenant("bystander");

async function apply(...tenants: object[]): Promise<void> {
  await project.configure(tenants);
  await project.run("up", "--yes", "--skip-preview");
}

test("a preview of a stack that was never applied asks for nothing that it holds", async () => {
  const backend = new URL(project.env.PULUMI_BACKEND_URL ?? "").pathname;
  const file = path.join(backend, ".pulumi/stacks/three-tenants/dev.json");
  const made = readFileSync(file, "utf8");
  writeFileSync(
    file,
    JSON.stringify({ version: 3, checkpoint: { stack: "organization/three-tenants/dev" } }),
  );
  await project.configure([bystander]);
  expect(await project.run("preview")).toContain("to create");
  writeFileSync(file, made);
});

describe("a preview", () => {
  const [kept, gone] = [tenant("kept"), tenant("gone", { forceDestroy: true })];

  beforeAll(() => apply(kept, gone, bystander));
  afterAll(async () => {
    await apply(tenant("kept", { forceDestroy: true }), bystander);
    await apply(bystander);
  });

  it.each(["preview", "preview --diff"])(
    "says what becomes of the data of tenants that are left out: pulumi %s",
    async (command) => {
      await project.configure([bystander]);
      const output = await project.run(...command.split(" "));
      expect(output).toMatch(
        new RegExp(
          `warning: tenant gone is declared no more: its end DROPS schema ${await schemaOf("gone")} with 7 tables`,
        ),
      );
      expect(output).toMatch(
        new RegExp(
          `warning: tenant kept is declared no more: its end keeps schema ${await schemaOf("kept")} and its data`,
        ),
      );
      expect(output).not.toContain("tenant bystander is declared no more");
    },
  );

  it("says so of a tenant that another id replaces, and with no database to count in", async () => {
    const id = "660e8400-e29b-41d4-a716-446655440000";
    await project.configure([kept, tenant("gone", { forceDestroy: true, id }), bystander]);
    const { DATABASE_URL } = project.env;
    project.env.DATABASE_URL = "postgres://nobody:nothing@127.0.0.1:1/none";
    const output = await project.run("preview");
    project.env.DATABASE_URL = DATABASE_URL;
    expect(output).toContain(`DROPS schema ${await schemaOf("gone")} with all its tables`);
    expect(output).not.toMatch(/tenant (kept|bystander) is declared no more/);
  });

  it("says nothing of a tenant that is new, and of one that is called otherwise", async () => {
    const changed = tenant("kept", { slug: "kept-on", key: "kept" });
    await project.configure([changed, gone, bystander, tenant("new")]);
    expect(await project.run("preview")).not.toContain("declared no more");
  });
});

describe("a tenant whose data must go, and that something outside depends on,", () => {
  const acme = tenant("acme", { forceDestroy: true });

  it("stays whole and active, and goes once that is gone", async () => {
    await apply(acme, bystander);
    const schema = await schemaOf("acme");
    await project.sql(`create view public.report as select id from "${schema}".routes`);
    await project.configure([bystander]);
    const { code, output } = await project.tryRun("up", "--yes", "--skip-preview");
    expect(code).not.toBe(0);
    expect(output).toContain(`schema ${schema} is in use from outside by view report`);
    expect(await rowOf("acme")).toMatchObject(whole);
    await apply(acme, bystander);
    await project.run("preview", "--expect-no-changes");
    await project.sql("drop view public.report");
    await apply(bystander);
    expect(await rowOf("acme")).toBeUndefined();
    expect(await rowOf("bystander")).toMatchObject(whole);
  });

  // A view that somebody makes just after the membership is gone.
  const viewAfterUnpublishing = async () => {
    await project.sql(
      `create function make_report() returns trigger language plpgsql as $$ begin
        execute format('create view public.report as select id from "tenant_%s".routes', old.tenant_id);
        return old;
      end $$;
      create trigger make_report after delete on tenant_users
        for each row execute function make_report()`,
    );
    await project.configure([bystander]);
    const { code, output } = await project.tryRun("up", "--yes", "--skip-preview");
    expect(code).not.toBe(0);
    expect(output).toMatch(/is in use from outside by view report: drop that first/);
    expect(await rowOf("acme")).toMatchObject({ status: "deleted", members: "0", tables: "7" });
    await project.sql("drop function make_report cascade");
  };

  it("is taken back by the next up, where the end stopped half way", async () => {
    await apply(acme, bystander);
    const before = await rowOf("acme");
    await viewAfterUnpublishing();
    await apply(acme, bystander);
    expect(await rowOf("acme")).toEqual({ ...before, ...whole });
    await project.run("preview", "--expect-no-changes");
    await project.sql("drop view public.report");
  });

  it("is taken back by a refresh and an up too", async () => {
    const before = await rowOf("acme");
    await viewAfterUnpublishing();
    await project.configure([acme, bystander]);
    await project.run("up", "--yes", "--skip-preview", "--refresh");
    expect(await rowOf("acme")).toEqual({ ...before, ...whole });
    await project.run("preview", "--expect-no-changes");
    await project.sql("drop view public.report");
  });

  it("ends by the next destroy, where the end stopped half way", async () => {
    const schema = await schemaOf("acme");
    await viewAfterUnpublishing();
    await project.sql("drop view public.report");
    await apply(bystander);
    expect(await rowOf("acme")).toBeUndefined();
    expect(await project.sql("select from pg_namespace where nspname = $1", [schema])).toEqual([]);
    expect(await rowOf("bystander")).toMatchObject(whole);
  });
});

describe.each(["the tenant", "its parent"])("retainOnDelete, set on %s,", (where) => {
  const initech = tenant("initech", { forceDestroy: true });

  beforeAll(() => {
    const [parent, own] =
      where === "the tenant" ? ["{}", "{ retainOnDelete }"] : ["{ retainOnDelete }", "{}"];
    writeFileSync(
      path.join(project.directory, "index.js"),
      `const pulumi = require("@pulumi/pulumi");
      const { Tenant, TenantDatabase } = require("pulumi-tenant");
      const config = new pulumi.Config();
      const database = new TenantDatabase("database", config.requireObject("database"));
      for (const tenant of config.getObject("tenants") ?? []) {
        const retainOnDelete = tenant.slug === "initech" ? true : undefined;
        const parent = new pulumi.ComponentResource("shop:index:Customer", tenant.slug, {}, ${parent});
        new Tenant(tenant.slug, { ...tenant, database }, { parent, ...${own} });
      }`,
    );
  });

  it("leaves everything in the database as it is, forceDestroy or not, and up takes it back", async () => {
    const before = await rowOf("initech");
    const other = tenant("other", { forceDestroy: true });
    await apply(initech, other);
    const made = await rowOf("initech");
    expect(made).toMatchObject(whole);
    await apply();
    expect(await rowOf("initech")).toEqual(made);
    expect(await rowOf("other")).toBeUndefined();
    await project.run("preview", "--expect-no-changes");
    await apply(initech);
    expect(await rowOf("initech")).toEqual(before ?? made);
    await project.run("destroy", "--yes", "--skip-preview");
    expect(await rowOf("initech")).toEqual(made);
  });
});
