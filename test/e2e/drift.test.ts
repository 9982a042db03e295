import { tenant, usePulumiProject } from "../support/pulumi";

const project = usePulumiProject("examples/three-tenants", [
  "Pulumi.yaml",
  "package.json",
  "index.js",
]);

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
async function findAndRepair(words: RegExp): Promise<void> {
  expect(await project.run("refresh", "--yes", "--skip-preview")).toMatch(words);
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

  it("a schema that was dropped", async () => {
    await project.sql(`drop schema "tenant_${await idOf("acme")}" cascade`);
    await findAndRepair(/- +postgresql:index:Schema acme/);
  });

  it("a membership that was removed", async () => {
    await project.sql("delete from tenant_users where tenant_id = $1", [await idOf("acme")]);
    await findAndRepair(/- +pulumi-nodejs:dynamic\/tenant:Membership acme/);
  });

  it("a row that was deleted, which comes back with the same id", async () => {
    const id = await idOf("acme");
    await project.sql("delete from tenant_users where tenant_id = $1", [id]);
    await project.sql("delete from tenants where id = $1", [id]);
    await findAndRepair(/~ +pulumi-nodejs:dynamic\/tenant:Record acme/);
    expect(await idOf("acme")).toBe(id);
  });

  it("a schema that is half migrated", async () => {
    const schema = `"tenant_${await idOf("globex")}"`;
    await project.sql(`delete from ${schema}.schema_migrations where version = '20260101000006'`);
    await project.sql(`alter table ${schema}.routes drop column dispatch_provider_id`);
    await project.sql(`drop table ${schema}.dispatch_providers`);
    await findAndRepair(/~ +pulumi-nodejs:dynamic\/tenant:Migrations globex/);
  });

  it("the control tables, all of them, and every tenant's row with its old id", async () => {
    const id = await idOf("acme");
    // All that is in the public schema; to drop the schema itself takes more than its tables' owner.
    const objects = await project.sql<{ drop: string }>(
      `select format('drop table %s cascade', c.oid::regclass) as drop from pg_class c
      where relnamespace = 'public'::regnamespace and relkind = 'r'
      union all
      select format('drop function %s cascade', oid::regprocedure) from pg_proc
      where pronamespace = 'public'::regnamespace`,
    );
    for (const { drop } of objects) await project.sql(drop);
    await findAndRepair(/~ +pulumi-nodejs:dynamic\/tenant:PublicMigrations/);
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
