import { Client } from "pg";
import { tenantMigrationsDir } from "../../../provider/database/migrations";
import { migrations, tenantRecord } from "../../../provider/resources";
import { useOwnPostgres } from "../../support/own-postgres";
import { checked, useResourceDatabase } from "../../support/resources";
import { cleanUpServices } from "../../support/service-process";

// 200 locks, and what PostgreSQL keeps for its own processes.
const server = useOwnPostgres({ max_connections: "20", max_locks_per_transaction: "10" });
const database = useResourceDatabase();
afterAll(async () => {
  await server.stop();
  await cleanUpServices();
});

type Record = Parameters<typeof tenantRecord.create>[0];
type Migrations = Parameters<typeof migrations.create>[0];

const TABLES = 300;
let count = 0;

interface Large {
  readonly id: string;
  readonly schemaName: string;
  readonly inputs: Migrations;
}

async function migrated(): Promise<Large> {
  const slug = `tenant-${++count}`;
  const common = { urlEnv: database.urlEnv, forceDestroy: true };
  const record = checked<Record>(
    tenantRecord.check({}, { ...common, name: "T", slug, owner: slug }),
  );
  const { id } = await tenantRecord.create(record);
  const schemaName = `tenant_${id}`;
  await database.sql(`create schema "${schemaName}"`);
  const inputs = checked<Migrations>(
    migrations.check({}, { ...common, schemaName, migrationsDir: tenantMigrationsDir }),
  );
  await migrations.create(inputs);
  return { id, schemaName, inputs };
}

/** A tenant with many tables, of which each has four more objects that are locked with it. */
async function large(): Promise<Large> {
  const tenant = await migrated();
  const { schemaName } = tenant;
  await database.sql(`create table "${schemaName}".parted (id int) partition by range (id)`);
  for (let i = 0; i < TABLES; i++) {
    await database.sql(
      i % 10 === 0
        ? `create table "${schemaName}"."p ${i}" partition of "${schemaName}".parted
            for values from (${i}) to (${i + 1})`
        : `create table "${schemaName}"."t ${i}" (id int primary key, text text)`,
    );
  }
  await database.sql(`create view "${schemaName}".v as select * from "${schemaName}"."t 1"`);
  return tenant;
}

const functionsIn = async (schemaName: string) =>
  (
    await database.sql("select from pg_proc where pronamespace = $1::regnamespace", [
      `"${schemaName}"`,
    ])
  ).length;

/** One with many functions: the catalog of relations does not have them. */
async function withFunctions(): Promise<Large> {
  const tenant = await migrated();
  await database.sql(
    `do $$ begin
      for i in 1..${10 * TABLES} loop
        execute format('create function %I.%I () returns int return 1', '${tenant.schemaName}', 'f ' || i);
      end loop;
    end $$`,
  );
  return tenant;
}

const leftIn = async (schemaName: string) =>
  (
    await database.sql<{ name: string }>(
      "select relname as name from pg_class where relnamespace = $1::regnamespace and relkind in ('r', 'p', 'v')",
      [`"${schemaName}"`],
    )
  ).map(({ name }) => name);

test("a schema with more objects than the server has locks is dropped, and nobody else's locks are taken", async () => {
  const { id, schemaName, inputs } = await large();
  const bystander = await large();
  await expect(database.sql(`drop schema "${schemaName}" cascade`)).rejects.toThrow(
    "out of shared memory",
  );
  // PostgreSQL tells an error before it gives the locks back, and takes the next statement after that.
  await migrations.delete(schemaName, inputs);
  expect(await leftIn(schemaName)).toEqual([]);
  expect(await database.sql("select status from tenants where id = $1", [id])).toEqual([
    { status: "deleted" },
  ]);
  expect(await leftIn(bystander.schemaName)).toHaveLength(TABLES + 1 + 7 + 1);
});

test("a drop that is cut off between its parts leaves no tenant that looks whole, and the next one ends it", async () => {
  const { id, schemaName, inputs } = await large();
  // The first part has been committed when the second waits for this table.
  const holder = new Client(database.superuserUrl());
  await holder.connect();
  await holder.query("begin");
  await holder.query(`lock table "${schemaName}"."t 299" in access share mode`);
  const cutOff = migrations.delete(schemaName, inputs);
  const failed = expect(cutOff).rejects.toThrow(/terminat/);
  for (;;) {
    const { rowCount } = await holder.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid))",
    );
    if (rowCount !== 0) break;
  }
  await failed;
  await holder.end();
  const left = await leftIn(schemaName);
  expect(left).toContain("t 299");
  expect(left).not.toContain("t 1");
  expect(left).not.toContain("schema_migrations");
  expect(await database.sql("select status from tenants where id = $1", [id])).toEqual([
    { status: "deleted" },
  ]);
  await expect(migrations.create(inputs)).rejects.toThrow("DATA_GONE");
  await migrations.delete(schemaName, inputs);
  expect(await leftIn(schemaName)).toEqual([]);
});

test("a schema with more functions than the server has locks is dropped, too", async () => {
  const { schemaName, inputs } = await withFunctions();
  await expect(database.sql(`drop schema "${schemaName}" cascade`)).rejects.toThrow(
    "out of shared memory",
  );
  await database.sql("select");
  await migrations.delete(schemaName, inputs);
  expect(await functionsIn(schemaName)).toBe(0);
});

test("a part waits for nothing while something outside depends on the schema, and nothing is dropped", async () => {
  const { schemaName, inputs } = await large();
  const before = await leftIn(schemaName);
  await database.sql(`create view public.report as select id from "${schemaName}"."t 299"`);
  await expect(migrations.delete(schemaName, inputs)).rejects.toThrow(
    `schema ${schemaName} is in use from outside by view report`,
  );
  expect(await leftIn(schemaName)).toEqual(before);
  await database.sql("drop view public.report");
});
