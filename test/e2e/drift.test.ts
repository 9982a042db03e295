import { tenantMigrationsDir } from "../../provider/database/migrations";
import { tenant, usePulumiProject } from "../support/pulumi";

const project = usePulumiProject("examples/three-tenants", [
  "Pulumi.yaml",
  "package.json",
  "index.js",
]);

const up = ["up", "--yes", "--skip-preview"];
const idOf = async (slug: string) =>
  (await project.sql<{ id: string }>("select id from tenants where slug = $1", [slug]))[0]?.id ??
  "none";
const isWhole = async (slug: string) => {
  const rows = await project.sql<{ tables: string; members: string; status: string }>(
    `select status,
      (select count(*) from pg_tables where schemaname = 'tenant_' || t.id) as tables,
      (select count(*) from tenant_users m where m.tenant_id = t.id) as members
    from tenants t where slug = $1`,
    [slug],
  );
  expect(rows).toEqual([{ status: "active", tables: "7", members: "1" }]);
};

/** Refreshes, expects the words in what it shows, repairs, and expects that all is well then. */
async function findAndRepair(...words: RegExp[]): Promise<void> {
  const found = await project.run("refresh", "--yes", "--skip-preview");
  for (const each of words) expect(found).toMatch(each);
  await project.run("up", "--yes", "--skip-preview");
  await project.run("preview", "--expect-no-changes");
  await isWhole("acme");
  await isWhole("globex");
}

describe("refresh finds, and the next up repairs,", () => {
  beforeAll(async () => {
    await project.configure([tenant("acme"), tenant("globex")]);
    await project.run("up", "--yes", "--skip-preview");
  });

  it("a membership that was removed, and an admin who was made a member only", async () => {
    const roles = "select role from tenant_users where tenant_id = $1";
    const id = await idOf("globex");
    await project.sql("delete from tenant_users where tenant_id = $1", [await idOf("acme")]);
    await project.sql("update tenant_users set role = 'MEMBER' where tenant_id = $1", [id]);
    await findAndRepair(
      /- +pulumi-nodejs:dynamic\/tenant:Membership acme/,
      /~ +pulumi-nodejs:dynamic\/tenant:Membership globex/,
    );
    expect(await project.sql(roles, [id])).toEqual([{ role: "ADMIN" }]);
  });

  it("a row that was deleted, which comes back with the same id, and a schema that is half migrated", async () => {
    const id = await idOf("acme");
    await project.sql("delete from tenant_users where tenant_id = $1", [id]);
    await project.sql("delete from tenants where id = $1", [id]);
    const schema = `"tenant_${await idOf("globex")}"`;
    await project.sql(`delete from ${schema}.schema_migrations where version = '20260101000006'`);
    await project.sql(`alter table ${schema}.routes drop column dispatch_provider_id`);
    await project.sql(`drop table ${schema}.dispatch_providers`);
    await findAndRepair(
      /~ +pulumi-nodejs:dynamic\/tenant:Record acme/,
      /~ +pulumi-nodejs:dynamic\/tenant:Migrations globex/,
    );
    expect(await idOf("acme")).toBe(id);
  });

  it("a tenant that somebody took out of service, and one that was renamed by hand", async () => {
    await project.sql("update tenants set status = 'provisioning' where slug = 'acme'");
    await project.sql("update tenants set name = 'Not this' where slug = 'globex'");
    await findAndRepair(/~ +pulumi-nodejs:dynamic\/tenant:Membership acme/);
    const [globex] = await project.sql("select name from tenants where slug = 'globex'");
    expect(globex).toEqual({ name: "The globex company" });
  });
});

describe("a table that somebody changed by hand", () => {
  const words = /tenant_\S+: tables are not repaired: the schema lacks column commerces\.name/;

  beforeAll(async () => {
    await project.configure([tenant("acme"), tenant("globex")]);
    await project.run(...up);
  });

  it("is told by refresh; each run says what differs, and none claims to repair it, until it is mended", async () => {
    await project.run("preview", "--refresh", "--expect-no-changes");
    const table = `"tenant_${await idOf("acme")}".commerces`;
    await project.sql(`alter table ${table} rename column name to called`);
    const refresh = await project.run("refresh", "--yes", "--skip-preview");
    expect(refresh).toMatch(words);
    for (const command of [up, ["preview"]]) {
      const output = await project.run(...command);
      expect(output).toMatch(words);
      expect(output).toMatch(/\d+ unchanged/);
      expect(output).not.toMatch(/[1-9]\d* (updated|to update|replaced)/);
    }
    await project.run("preview", "--expect-no-changes");
    await project.sql(`alter table ${table} rename column called to name`);
    expect(await project.run(...up, "--refresh")).not.toContain("tables are not repaired");
    await project.run("preview", "--refresh", "--expect-no-changes");
    await isWhole("globex");
  });
});

describe("data that is gone is an error:", () => {
  const commands = [[...up, "--refresh"], ["preview"], up];

  /** Runs what could make it anew, each of which must refuse and name what is gone. */
  async function expectRefused(slug: string, gone: string, by = commands): Promise<void> {
    const words = `DATA_GONE: of tenant ${slug} is gone: ${gone}, with what 6 migrations had made`;
    for (const command of by) {
      const { code, output } = await project.tryRun(...command);
      expect({ command, failed: code !== 0, output }).toEqual({
        ...{ command, failed: true },
        output: expect.stringContaining(words) as string,
      });
      expect(output).toMatch(/Restore it from a backup.*recreate: true.*EMPTY/);
    }
  }
  const tablesOf = (schema: string) =>
    project.sql("select tablename from pg_tables where schemaname = $1", [schema]);

  it("a schema that was dropped; nothing is made until recreate: true, which says EMPTY", async () => {
    const schema = `tenant_${await idOf("acme")}`;
    await project.sql(`drop schema "${schema}" cascade`);
    await expectRefused("acme", `schema ${schema}`);
    expect(await project.sql("select from pg_namespace where nspname = $1", [schema])).toEqual([]);

    await project.configure([tenant("acme", { recreate: true }), tenant("globex")]);
    const words = `Tenant acme is made anew, EMPTY (recreate: true): gone is schema ${schema}`;
    const preview = await project.run("preview");
    expect(preview).toContain(words);
    expect(preview).toMatch(/~ +pulumi-nodejs:dynamic\/tenant:Record acme/);
    expect(await project.run(...up)).toContain(words);
    await project.run("preview", "--expect-no-changes");
    await isWhole("acme");
    await isWhole("globex");

    await project.configure([tenant("acme"), tenant("globex")]);
    await project.run("preview", "--refresh", "--expect-no-changes");
  });

  it("a schema that was dropped; one that is restored is taken as it is", async () => {
    const schema = `tenant_${await idOf("globex")}`;
    await project.sql(`alter schema "${schema}" rename to backup`);
    await expectRefused("globex", `schema ${schema}`, [[...up, "--refresh"]]);
    await project.sql(`alter schema backup rename to "${schema}"`);
    await project.run(...up, "--refresh");
    await project.run("preview", "--expect-no-changes");
    await isWhole("globex");
  });

  it("a schema that was emptied", async () => {
    const schema = `tenant_${await idOf("globex")}`;
    await project.sql(`drop schema "${schema}" cascade`);
    await project.sql(`create schema "${schema}"`);
    await expectRefused("globex", `the tables of schema ${schema}`, [[...up, "--refresh"]]);
    expect(await tablesOf(schema)).toEqual([]);
    await project.configure([tenant("acme"), tenant("globex", { recreate: true })]);
    expect(await project.run(...up)).toContain("Tenant globex is made anew, EMPTY");
    await isWhole("globex");
    await project.configure([tenant("acme"), tenant("globex")]);
  });

  it("a schema that was dropped, where the state was lost too", async () => {
    const schema = `tenant_${await idOf("globex")}`;
    await project.sql(`drop schema "${schema}" cascade`);
    await project.run("stack", "rm", "--yes", "--force", "--preserve-config");
    await project.run("stack", "init", "dev");
    await project.configure([tenant("acme"), tenant("globex")]);
    const { code, output } = await project.tryRun(...up);
    expect(code).not.toBe(0);
    expect(output).toContain("DATA_GONE: of tenant globex is gone");
    expect(await tablesOf(schema)).toEqual([]);
    await project.configure([tenant("acme"), tenant("globex", { recreate: true })]);
    expect(await project.run(...up)).toContain("Tenant globex is made anew, EMPTY");
    await isWhole("acme");
    await isWhole("globex");
  });

  it("the control tables, all of them; made again and told, each tenant's row has its old id", async () => {
    const id = await idOf("acme");
    const [was] = await project.sql<{ id: string }>("select id from tenant_database");
    // All that is in the public schema; to drop the schema itself takes more than its tables' owner.
    const objects = await project.sql<{ drop: string }>(
      `select format('drop table %s cascade', c.oid::regclass) as drop from pg_class c
      where relnamespace = 'public'::regnamespace and relkind = 'r'
      union all
      select format('drop function %s cascade', oid::regprocedure) from pg_proc
      where pronamespace = 'public'::regnamespace`,
    );
    for (const { drop } of objects) await project.sql(drop);
    const { code, output } = await project.tryRun(...up, "--refresh");
    expect(code).not.toBe(0);
    expect(output).toMatch(/OTHER_DATABASE: .*its control tables are lost/);

    await project.run("stack", "init", "without-tenants");
    await project.run("config", "set", "--path", "database.migrationsDir", tenantMigrationsDir);
    await project.run(...up);
    await project.run("stack", "select", "dev");
    await project.sql("update tenant_database set replaces = replaces || $1::uuid", [was?.id]);
    await findAndRepair(/~ +pulumi-nodejs:dynamic\/tenant:Record acme/);
    expect(await idOf("acme")).toBe(id);
  });
});
