import { fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { Client } from "pg";
import { tryTenantRoles } from "../../../engine/doctor/database";
import { readLiveSchema } from "../../../provider/database/live-schema";
import { openLogin } from "../../../provider/database/owner-login";
import { assertMayIsolate } from "../../../provider/database/owner-role";
import { settingsOf } from "../../../provider/database/settings";
import { migrations, tenantRecord } from "../../../provider/resources";
import { createTestDatabase } from "../../support/database";
import { closed, useIsolatedTenants, type MigrationInputs } from "../../support/isolated-tenants";
import { eventually } from "../../support/killable-service";
import type { MigrateTask } from "../../support/migrate-tenant";

const database = useIsolatedTenants();
const { urlEnv, newTenant, asSuperuser, roles, ownersIn } = database;

let connected: string;
beforeAll(async () => {
  const [row] = await database.sql<{ me: string }>("select current_user as me");
  connected = row?.me ?? "";
});

/** One of each kind of object that has an owner, and that a role without special rights can make. */
const everyKind = `
  create table t (id serial primary key, at int generated always as identity, name text) partition by list (id);
  create table t_1 partition of t for values in (1);
  create sequence s;
  create view v as select * from t;
  create materialized view m as select 1 as one;
  create type e as enum ('a');
  create type c as (a int);
  create type r as range (subtype = int4);
  create domain d as int;
  create function f(a int, b text) returns int language sql return a;
  create procedure p() language sql as 'select';
  create aggregate a(int) (sfunc = int4pl, stype = int);
  create function eq(c, c) returns boolean language sql immutable return ($1).a = ($2).a;
  create operator === (leftarg = c, rightarg = c, function = eq);
  create conversion conv for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
  create collation coll from "C";
  create text search configuration cfg (copy = simple);
  create text search dictionary dict (template = simple);
  create statistics st on id, name from t`;

it("is made for eight tenants at once, the first of a database among them", async () => {
  const tenants = await Promise.all(
    Array.from({ length: 8 }, () => newTenant("create table t (id int)")),
  );
  await Promise.all(tenants.map(({ inputs }) => migrations.create(inputs(true))));
  for (const { schemaName, role } of tenants) {
    expect(await ownersIn(schemaName)).toEqual([role]);
    expect(await roles(role)).toEqual([closed]);
  }
});

describe("a tenant that was not isolated", () => {
  it("gives its role everything that is in its schema, and back; nothing else changes its owner", async () => {
    const tenant = await newTenant(everyKind);
    const before = await migrations.create(tenant.inputs());
    expect(await ownersIn(tenant.schemaName)).toEqual([connected]);

    const isolated = await migrations.update(tenant.schemaName, before.outs, tenant.inputs(true));
    expect(await ownersIn(tenant.schemaName)).toEqual([tenant.role]);
    expect(await ownersIn("public")).not.toContain(tenant.role);

    const back = await migrations.update(tenant.schemaName, isolated.outs, tenant.inputs());
    expect(back.outs).not.toHaveProperty("isolateMigrations");
    expect(await ownersIn(tenant.schemaName)).toEqual([connected]);
    expect(await roles(tenant.role)).toEqual([]);
  });

  it("gives its role nothing that another role owns, and nothing of another schema", async () => {
    const [tenant, bystander] = [
      await newTenant("create table t (id int)"),
      await newTenant("create table t (id int)"),
    ];
    const { outs } = await migrations.create(tenant.inputs());
    await migrations.create(bystander.inputs());
    const other = `other_${connected}`;
    await asSuperuser(`create role ${other}`);
    await asSuperuser(`create table "${tenant.schemaName}".theirs (id int)`);
    await asSuperuser(`alter table "${tenant.schemaName}".theirs owner to ${other}`);
    await database.sql(
      `alter default privileges in schema "${bystander.schemaName}" grant select on tables to public`,
    );
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    await migrations.update(tenant.schemaName, outs, tenant.inputs(true));
    said.mockRestore();
    expect((await ownersIn(tenant.schemaName)).sort()).toEqual([other, tenant.role]);
    expect(await ownersIn(bystander.schemaName)).toEqual([connected]);
    const later = "select from pg_default_acl where defaclnamespace = $1::regnamespace";
    expect(await database.sql(later, [`"${tenant.schemaName}"`])).toEqual([]);
    await asSuperuser(`drop owned by ${other}; drop role ${other}`);
  });

  it("stays open to the product's role and to the connected one, tables to come too", async () => {
    const tenant = await newTenant("create table t (id int)");
    const { outs } = await migrations.create(tenant.inputs());
    const product = `product_${connected}`;
    await asSuperuser(`create role ${product}`);
    for (const statement of [
      `grant usage on schema SCHEMA to ${product}`,
      `grant select on all tables in schema SCHEMA to ${product}`,
      `alter default privileges in schema SCHEMA grant select, insert on tables to ${product}`,
      `alter default privileges in schema SCHEMA grant usage on sequences to ${product} with grant option`,
      `alter default privileges grant execute on functions to ${product}`,
    ]) {
      await database.sql(statement.replace("SCHEMA", `"${tenant.schemaName}"`));
    }
    tenant.add(2, "create table later (id serial)");
    await migrations.update(tenant.schemaName, outs, tenant.inputs(true));
    const asProduct = (statement: string) =>
      asSuperuser(
        `set role ${product}; ${statement.replaceAll("SCHEMA", `"${tenant.schemaName}"`)}`,
      );
    await asProduct("select * from SCHEMA.t; insert into SCHEMA.later default values");
    await expect(asProduct("delete from SCHEMA.later")).rejects.toMatchObject({ code: "42501" });
    await database.sql(`insert into "${tenant.schemaName}".later default values`);

    await migrations.delete(tenant.schemaName, outs);
    await database.sql(`drop schema "${tenant.schemaName}"`);
    await tenantRecord.delete(tenant.id, tenant.record);
    expect(await roles(tenant.role)).toEqual([]);
    await asSuperuser(`drop owned by ${product}; drop role ${product}`);
  });
});

describe("a refresh", () => {
  it("shows a schema that does not belong to its role as a change, and its return", async () => {
    const tenant = await newTenant("create table t (id int)");
    const state = (await migrations.create(tenant.inputs(true))).outs as MigrationInputs;
    expect((await migrations.read(tenant.schemaName, state)).props).toMatchObject(state);

    await database.sql(`alter schema "${tenant.schemaName}" owner to current_user`);
    const { props } = await migrations.read(tenant.schemaName, state);
    expect(props).not.toHaveProperty("isolateMigrations");
    const drifted = props as MigrationInputs;
    expect(migrations.diff("", drifted, tenant.inputs(true)).changes).toBe(true);

    const { outs } = await migrations.update(tenant.schemaName, drifted, tenant.inputs(true));
    expect(await ownersIn(tenant.schemaName)).toEqual([tenant.role]);
    expect(migrations.diff("", outs as MigrationInputs, tenant.inputs(true)).changes).toBe(false);
  });

  it("shows which files are applied, while another run migrates too", async () => {
    const tenant = await newTenant(
      "create table t (id int)",
      "create table nonsense (id nonsense)",
    );
    await expect(migrations.create(tenant.inputs(true))).rejects.toThrow("1 of 2 are applied");
    const { props } = await migrations.read(tenant.schemaName, tenant.inputs(true));
    expect(props).toMatchObject({ version: "1" });

    // Of another tenant more is on record.
    const bystander = await newTenant("create table t (id int)", "create table u (id int)");
    await migrations.create(bystander.inputs(true));
    tenant.add(2, "lock table t");
    const reader = await readerOf(tenant.schemaName);
    const run = migrations.create(tenant.inputs(true));
    await reader.blocks();
    expect(await migrations.read(tenant.schemaName, tenant.inputs(true))).toMatchObject({
      props: { version: "1", isolateMigrations: true },
    });
    const live = { applied: ["1"], isolated: true };
    expect(await readLiveSchema(urlEnv, tenant.schemaName)).toEqual(live);
    await reader.end();
    await run;
  });
});

describe("a destroy", () => {
  it("drops the role, and no other tenant's", async () => {
    const [tenant, bystander] = [
      await newTenant("create table t (id int)", "select lo_create(0)"),
      await newTenant("create table t (id int)"),
    ];
    for (const { inputs } of [tenant, bystander]) await migrations.create(inputs(true));
    await destroy(tenant);
    expect(await roles(tenant.role)).toEqual([]);
    expect(await roles(bystander.role)).toEqual([closed]);
    expect(await ownersIn(bystander.schemaName)).toEqual([bystander.role]);
  });

  it("drops the role of a schema that somebody else has dropped", async () => {
    const tenant = await newTenant("create table t (id int)");
    await migrations.create(tenant.inputs(true));
    await database.sql(`drop schema "${tenant.schemaName}" cascade`);
    await tenantRecord.delete(tenant.id, tenant.record);
    expect(await roles(tenant.role)).toEqual([]);
  });

  it("keeps the data of a schema that is still there", async () => {
    const tenant = await newTenant("create table t (id int)");
    await migrations.create(tenant.inputs(true));
    await tenantRecord.delete(tenant.id, tenant.record);
    expect(await roles(tenant.role)).toEqual([]);
    expect(await database.sql(`select * from "${tenant.schemaName}".t`)).toEqual([]);
    expect(await ownersIn(tenant.schemaName)).toEqual([connected]);
  });
});

describe("after a kill", () => {
  it("in the transaction that makes the role, there is no role; the next run makes it", async () => {
    const tenant = await newTenant("create table t (id int)");
    await migrations.create(tenant.inputs());
    await killed({ inputs: tenant.inputs(true) }, await readerOf(tenant.schemaName));
    expect(await roles(tenant.role)).toEqual([]);
    expect(await ownersIn(tenant.schemaName)).toEqual([connected]);
    await migrations.create(tenant.inputs(true));
    expect(await ownersIn(tenant.schemaName)).toEqual([tenant.role]);
  });

  it("in a migration, the next run ends what is left of it, migrates, and closes the login", async () => {
    const tenant = await newTenant("create table t (id int)");
    await migrations.create(tenant.inputs(true));
    tenant.add(2, "alter table t add column b int");
    await killed({ inputs: tenant.inputs(true) }, await readerOf(tenant.schemaName));
    expect(await roles(tenant.role)).toMatchObject([{ rolcanlogin: true }]);
    await migrations.create(tenant.inputs(true));
    expect(await roles(tenant.role)).toEqual([closed]);
    expect(await database.sql(`select b from "${tenant.schemaName}".t`)).toEqual([]);
    expect(
      await asSuperuser("select from pg_stat_activity where usename = $1", [tenant.role]),
    ).toEqual([]);
  });

  it("in a migration that gave its session another name, the next run ends that session too", async () => {
    const tenant = await newTenant("create table t (id int)");
    await migrations.create(tenant.inputs(true));
    const connection = new Client(process.env[urlEnv]);
    await connection.connect();
    const login = await openLogin(connection, settingsOf(urlEnv), tenant.role);
    await connection.end();
    const { host, port, database: name, user, password } = login;
    const left = new Client({ host, port, database: name, user, password: password ?? "" });
    left.on("error", () => undefined);
    await left.connect();
    await left.query(`begin; lock table "${tenant.schemaName}".t`);
    tenant.add(2, "alter table t add column b int");
    await migrations.create(tenant.inputs(true));
    expect(await database.sql(`select b from "${tenant.schemaName}".t`)).toEqual([]);
    await expect(left.query("select")).rejects.toThrow();
    await left.end();
  }, 90_000);

  it("in the way back, the schema is still its role's; the next run gives it back", async () => {
    const tenant = await newTenant("create table t (id int)");
    await migrations.create(tenant.inputs(true));
    await killed({ inputs: tenant.inputs() }, await readerOf(tenant.schemaName));
    expect(await ownersIn(tenant.schemaName)).toEqual([tenant.role]);
    await migrations.create(tenant.inputs());
    expect(await ownersIn(tenant.schemaName)).toEqual([connected]);
    expect(await roles(tenant.role)).toEqual([]);
  });

  it("in the deletion, the role is there as long as the tenant's row, and goes with it", async () => {
    const tenant = await newTenant("create table t (id int)");
    await migrations.create(tenant.inputs(true));
    await migrations.delete(tenant.schemaName, tenant.inputs(true));
    const reader = await readerOf(
      tenant.schemaName,
      `select from public.tenants where id = '${tenant.id}' for update`,
    );
    await killed({ id: tenant.id, record: tenant.record }, reader);
    expect(await roles(tenant.role)).toEqual([closed]);
    await database.sql(`drop schema "${tenant.schemaName}"`);
    await tenantRecord.delete(tenant.id, tenant.record);
    expect(await roles(tenant.role)).toEqual([]);
  });
});

describe("the connected role", () => {
  test("without the rights is told so in one line, before anything is made", async () => {
    const poor = await createTestDatabase({ migrated: true });
    process.env.POOR_URL = poor.url;
    await expect(assertMayIsolate("POOR_URL")).rejects.toThrow(
      /^a role for each tenant .* needs CREATEROLE \(alter role \w+ createrole\), and the right to let them connect \(grant connect on database \w+ to \w+ with grant option\): see docs\/operating\.md, or turn it off$/,
    );
    const environment = { DATABASE_URL: poor.url, TENANT_ROLES: "true" };
    const [finding] = await tryTenantRoles(environment);
    expect(finding?.problem).toContain("needs PostgreSQL 16, CREATEROLE, and connect");
    const { schemaName, inputs } = await newTenant("create table t (id int)");
    await expect(migrations.create({ ...inputs(true), urlEnv: "POOR_URL" })).rejects.toThrow(
      /needs CREATEROLE/,
    );
    const client = new Client(poor.superuserUrl);
    await client.connect();
    const { rows } = await client.query("select from pg_namespace where nspname = $1", [
      schemaName,
    ]);
    expect(rows).toEqual([]);
    await client.end();
    await poor.drop();
  });

  test("with them passes", async () => {
    await assertMayIsolate(urlEnv);
    const environment = { DATABASE_URL: process.env[urlEnv], TENANT_ROLES: "true" };
    const [finding] = await tryTenantRoles(environment);
    expect(finding).not.toHaveProperty("problem");
  });
});

test("no password is in a statement: the server is given what it would store of it", async () => {
  const tenant = await newTenant("create table t (id int)");
  const seen: string[] = [];
  const query = jest.spyOn(Client.prototype, "query");
  await migrations.create(tenant.inputs(true));
  for (const [statement] of query.mock.calls as unknown[][]) seen.push(JSON.stringify(statement));
  query.mockRestore();
  const logins = seen.filter((text) => text.includes(" login password "));
  expect(logins).toHaveLength(1);
  expect(logins[0]).toMatch(/ login password 'SCRAM-SHA-256\$4096:[^']+' valid until '[^']+'/);
});

async function destroy(tenant: Awaited<ReturnType<typeof newTenant>>): Promise<void> {
  await migrations.delete(tenant.schemaName, tenant.inputs(true));
  await database.sql(`drop schema "${tenant.schemaName}"`);
  await tenantRecord.delete(tenant.id, tenant.record);
}

/** A session in whose way others will be: it has read the tenant's table and not ended its transaction. */
async function readerOf(schemaName: string, statement = `select from "${schemaName}".t`) {
  const client = new Client(process.env[urlEnv]);
  await client.connect();
  await client.query(`begin; ${statement}`);
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  return {
    blocks: () =>
      eventually(async () => {
        const blocked = await asSuperuser(
          "select from pg_stat_activity where $1 = any(pg_blocking_pids(pid))",
          [rows[0]?.pid],
        );
        return blocked.length > 0 ? true : undefined;
      }),
    end: () => client.end(),
  };
}

/** Starts a process, kills it when it waits for the reader, and has the reader end. */
async function killed(task: MigrateTask, reader: Awaited<ReturnType<typeof readerOf>>) {
  const script = path.join(__dirname, "../../support/migrate-tenant.js");
  const child = fork(script, [JSON.stringify(task)], { env: process.env });
  await reader.blocks();
  child.kill("SIGKILL");
  await once(child, "exit");
  // The server notices that the process is gone once its session does not wait any more.
  await reader.end();
  await eventually(async () => {
    const left = await asSuperuser(
      `select from pg_stat_activity where application_name = 'pulumi-tenant' and state <> 'idle'
      and datname = current_database() and pid <> pg_backend_pid()`,
    );
    return left.length === 0 ? true : undefined;
  });
}
