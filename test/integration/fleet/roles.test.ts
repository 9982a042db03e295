import { migrations } from "../../../provider/resources";
import { migrateTenant } from "../../../fleet/rollout/migrate-tenant";
import { readMigrations } from "../../../provider/database/migrations";
import type { Rollout } from "../../../fleet/rollout/rollout";
import { useIsolatedTenants, type TenantToMigrate } from "../../support/isolated-tenants";

const database = useIsolatedTenants();

/** A rollout of what is in the tenant's folder by now. */
const rolloutOf = (directory: string): Rollout => ({
  ...{ id: "", status: "running", reason: null, files: readMigrations(directory) },
  options: {
    ...{ owner: "all", only: [], order: "oldest", canary: 0, maxFailures: null },
    ...{ lockTimeoutMs: 2_000, statementTimeoutMs: 60_000, lockRetries: 0 },
  },
});
const rollOut = (tenant: TenantToMigrate) => {
  const { migrationsDir = "" } = tenant.inputs();
  return migrateTenant(database.urlEnv, rolloutOf(migrationsDir), migrationsDir, tenant.id);
};

test.each([true, false])(
  "a schema keeps its owner, whom the new tables belong to: isolated %s",
  async (isolated) => {
    const tenant = await database.newTenant("create table a (id int)");
    await migrations.create(tenant.inputs(isolated));
    const owners = await database.ownersIn(tenant.schemaName);
    tenant.add(2, "create table b (id int)");
    expect(await rollOut(tenant)).toEqual({ kind: "done" });
    expect(await database.ownersIn(tenant.schemaName)).toEqual(owners);
    expect(owners.includes(tenant.role)).toBe(isolated);
  },
);

test("the next up of a stack finds the files applied, and its tables as the migrations make them", async () => {
  const tenant = await database.newTenant("create table a (id int)");
  const before = tenant.inputs();
  const { outs } = await migrations.create(before);
  tenant.add(2, "create table b (id int); insert into b values (1)");
  expect(await rollOut(tenant)).toEqual({ kind: "done" });
  const after = await migrations.update(tenant.schemaName, outs, tenant.inputs());
  expect(after.outs).toMatchObject({ version: "2" });
  expect(after.outs).not.toHaveProperty("differs");
  expect(await database.sql(`select id from "${tenant.schemaName}".b`)).toEqual([{ id: 1 }]);
});

test("a tenant of which no file is on record gets none unless its tables are as the applied files make them", async () => {
  const tenant = await database.newTenant("create table a (id int)");
  await migrations.create(tenant.inputs());
  const digests = "public.tenant_migration_digests where schema_name = $1";
  await database.sql(`delete from ${digests}`, [tenant.schemaName]);
  await database.sql(`alter table "${tenant.schemaName}".a add column extra int`);
  tenant.add(2, "create table b (id int)");
  expect(await rollOut(tenant)).toMatchObject({
    kind: "failed",
    message: expect.stringMatching(/is there too: column a\.extra/) as string,
  });
  expect(await database.sql(`select from ${digests}`, [tenant.schemaName])).toEqual([]);
  await database.sql(`alter table "${tenant.schemaName}".a drop column extra`);
  expect(await rollOut(tenant)).toEqual({ kind: "done" });
  expect(await database.sql(`select from ${digests}`, [tenant.schemaName])).toHaveLength(2);
});

test("a tenant whose schema was dropped has failed, and none is made for it", async () => {
  const tenant = await database.newTenant("create table a (id int)");
  await migrations.create(tenant.inputs());
  await database.sql(`drop schema "${tenant.schemaName}" cascade`);
  expect(await rollOut(tenant)).toMatchObject({
    kind: "failed",
    message: expect.stringMatching(/is gone: schema/) as string,
  });
  await database.sql("delete from public.tenant_migration_digests where schema_name = $1", [
    tenant.schemaName,
  ]);
  expect(await rollOut(tenant)).toMatchObject({ kind: "failed" });
  await database.sql("delete from public.tenants where id = $1", [tenant.id]);
  expect(await rollOut(tenant)).toEqual({ kind: "gone" });
  expect(
    await database.sql("select from pg_namespace where nspname = $1", [tenant.schemaName]),
  ).toEqual([]);
});
