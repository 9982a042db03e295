import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { tenant, usePulumiProject } from "../support/pulumi";

const project = usePulumiProject("examples/three-tenants", [
  "Pulumi.yaml",
  "package.json",
  "index.js",
]);
const migrationsDir = "migrations";
const write = (file: string, up: string) => {
  mkdirSync(path.join(project.directory, migrationsDir), { recursive: true });
  writeFileSync(
    path.join(project.directory, migrationsDir, file),
    `-- migrate:up\n${up};\n-- migrate:down\n`,
  );
};
const row = async (slug: string) =>
  (
    await project.sql<{ id: string; name: string; status: string }>(
      "select id, name, status from tenants where slug = $1",
      [slug],
    )
  )[0];

describe("a change of a tenant", () => {
  it("whose migration fails leaves it provisioning, names the file, and finishes once it is mended", async () => {
    write("1_a.sql", "create table a (id int)");
    write("2_b.sql", "create table b (id nonsense)");
    await project.configure([tenant("acme")], migrationsDir);
    const { code, output } = await project.tryRun("up", "--yes", "--skip-preview");
    expect(code).not.toBe(0);
    expect(output).toMatch(
      /migration 2_b\.sql failed in schema tenant_.*type "nonsense" does not exist/,
    );
    expect(await row("acme")).toMatchObject({ status: "provisioning" });
    const before = await row("acme");
    write("2_b.sql", "create table b (id int)");
    await project.run("up", "--yes", "--skip-preview");
    expect(await row("acme")).toMatchObject({ id: before?.id, status: "active" });
  });

  it("shows a new migration by name in the preview, and applies it", async () => {
    write("3_c.sql", "create table c (id int)");
    const preview = await project.run("preview", "--diff");
    expect(preview).toMatch(/\+ 3_c\.sql/);
    expect(preview).not.toMatch(/[+~-] 1_a\.sql/);
    await project.run("up", "--yes", "--skip-preview");
    const tables = await project.sql("select from pg_tables where schemaname like 'tenant\\_%'");
    expect(tables).toHaveLength(4);
  });

  it("refuses an applied migration that was edited, and names it", async () => {
    write("1_a.sql", "create table a (id bigint)");
    const { code, output } = await project.tryRun("preview");
    expect(code).not.toBe(0);
    expect(output).toContain("1_a.sql was edited after it was applied");
    write("1_a.sql", "create table a (id int)");
  });

  it("gives it another name and slug in place", async () => {
    const before = await row("acme");
    const renamed = { key: "acme", slug: "acme-ltd", name: "Acme Ltd" };
    await project.configure([tenant("acme", renamed)], migrationsDir);
    const preview = await project.run("preview", "--diff");
    expect(preview).toContain('"The acme company" => "Acme Ltd"');
    expect(preview).toMatch(/~ 1 to update\s+\d+ unchanged/);
    await project.run("up", "--yes", "--skip-preview");
    expect(await row("acme-ltd")).toEqual({ ...before, name: "Acme Ltd" });
    await project.configure([tenant("acme")], migrationsDir);
    await project.run("up", "--yes", "--skip-preview");
    expect(await row("acme")).toEqual(before);
  });

  it.each(["Record", "AdminUser", "Migrations", "Membership"])(
    "that replaces its %s for no reason takes nothing away, and leaves it active",
    async (step) => {
      const before = await row("acme");
      await project.sql(`insert into "tenant_${before?.id ?? ""}".a values (7)`);
      const urn = `urn:pulumi:dev::three-tenants::pulumi-tenant:index:Tenant$pulumi-nodejs:dynamic/tenant:${step}::acme`;
      await project.run("up", "--yes", "--skip-preview", "--replace", urn);
      expect(await row("acme")).toEqual(before);
      const rows = await project.sql(`delete from "tenant_${before?.id ?? ""}".a returning id`);
      expect(rows).toEqual([{ id: 7 }]);
    },
  );

  it("that moves it elsewhere in the program without an alias is refused, and takes nothing away", async () => {
    const before = await row("acme");
    const program = path.join(project.directory, "index.js");
    const original = readFileSync(program, "utf8");
    writeFileSync(
      program,
      `const pulumi = require("@pulumi/pulumi");
      const { Tenant, TenantDatabase } = require("pulumi-tenant");
      const parent = new pulumi.ComponentResource("shop:index:Customer", "customer");
      const [tenant] = new pulumi.Config().requireObject("tenants");
      const database = new TenantDatabase("database", { migrationsDir: "${migrationsDir}" });
      new Tenant("acme", { ...tenant, database }, { parent });`,
    );
    const { code, output } = await project.tryRun("up", "--yes", "--skip-preview");
    expect(code).not.toBe(0);
    expect(output).toContain(
      'give it the option aliases: ["urn:pulumi:dev::three-tenants::pulumi-tenant:index:Tenant::acme"]',
    );
    expect(await row("acme")).toEqual(before);
    writeFileSync(program, original);
    await project.run("up", "--yes", "--skip-preview");
    expect(await row("acme")).toEqual(before);
  });

  it("refuses another e-mail, with the reason", async () => {
    await project.configure([tenant("acme", { adminEmail: "eve@acme.example" })], migrationsDir);
    const { code, output } = await project.tryRun("preview");
    expect(code).not.toBe(0);
    expect(output).toContain(
      "cannot change from admin@acme.example: the account is the person's own",
    );
  });

  it("refuses another id as long as the old data must stay, and replaces the tenant once it may go", async () => {
    const [before, id] = [await row("acme"), "660e8400-e29b-41d4-a716-446655440000"];
    await project.configure([tenant("acme", { id })], migrationsDir);
    expect((await project.tryRun("preview")).output).toContain("apply forceDestroy: true first");
    await project.configure([tenant("acme", { forceDestroy: true })], migrationsDir);
    await project.run("up", "--yes", "--skip-preview");
    await project.configure([tenant("acme", { forceDestroy: true, id })], migrationsDir);
    await project.run("up", "--yes", "--skip-preview");
    expect(await row("acme")).toMatchObject({ id, status: "active" });
    const schemas = await project.sql(
      "select nspname from pg_namespace where nspname like 'tenant\\_%'",
    );
    expect(schemas).toEqual([{ nspname: `tenant_${id}` }]);
    expect(before?.id).not.toBe(id);
    await project.run("preview", "--expect-no-changes");
  });

  it("of two tenants with one admin removes all of one and nothing of the other", async () => {
    const adminEmail = "admin@acme.example";
    const id = (await row("acme"))?.id;
    const both = [
      tenant("acme", { forceDestroy: true, id }),
      tenant("globex", { adminEmail, forceDestroy: true, adminFirstName: "Somebody else" }),
    ];
    await project.configure(both, migrationsDir);
    await project.run("up", "--yes", "--skip-preview");
    expect(await project.sql("select first_name from users")).toEqual([{ first_name: "Ana" }]);
    await project.configure(both.slice(1), migrationsDir);
    await project.run("up", "--yes", "--skip-preview");
    expect(await project.sql("select slug, status from tenants")).toEqual([
      { slug: "globex", status: "active" },
    ]);
    expect(await project.sql("select email from users")).toEqual([{ email: adminEmail }]);
  });

  it("and its end, with forceDestroy, leaves no row, no user and no schema", async () => {
    rmSync(path.join(project.directory, migrationsDir), { recursive: true });
    await project.run("destroy", "--yes", "--skip-preview");
    expect(await project.sql("select slug from tenants")).toEqual([]);
    expect(await project.sql("select email from users")).toEqual([]);
    expect(await project.sql("select from pg_namespace where nspname like 'tenant\\_%'")).toEqual(
      [],
    );
  });
});
