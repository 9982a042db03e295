import { Client } from "pg";
import { migrations, tenantRecord } from "../../../provider/resources";
import { closed, useIsolatedTenants } from "../../support/isolated-tenants";

const database = useIsolatedTenants();
const { urlEnv, newTenant, asSuperuser, roles, ownersIn } = database;

const hash = `$argon2id$v=19$m=19456,t=2,p=1$${"s".repeat(22)}$${"h".repeat(43)}`;
beforeAll(() =>
  database.sql(
    `insert into public.users (email, password_hash, first_name, last_name)
    values ('ana@acme.example', $1, 'A', 'D')`,
    [hash],
  ),
);

describe("a migration of an isolated tenant", () => {
  it("works in its own schema, and leaves a role that nobody can log in as", async () => {
    const tenant = await newTenant(
      "create table t (id int generated always as identity primary key, at timestamptz default now())",
      "insert into t default values",
    );
    const outs = await migrations.create(tenant.inputs(true));
    expect(outs.outs).toMatchObject({ version: "2", isolateMigrations: true });
    expect(await database.sql(`select id from "${tenant.schemaName}".t`)).toEqual([{ id: 1 }]);
    expect(await ownersIn(tenant.schemaName)).toEqual([tenant.role]);
    expect(await roles(tenant.role)).toEqual([closed]);
  });

  it("that is not isolated copies the users, as before", async () => {
    const tenant = await newTenant("create table stolen as select password_hash from public.users");
    await migrations.create(tenant.inputs());
    expect(await database.sql(`select * from "${tenant.schemaName}".stolen`)).toEqual([
      { password_hash: hash },
    ]);
  });

  test.each([
    ["reads the users", "create table stolen as select * from public.users"],
    ["makes a tenant", "insert into public.tenants (name, slug, owner) values ('x', 'x', 'x')"],
    ["changes digests", "delete from public.tenant_migration_digests"],
    ["reads another tenant's table", "create table stolen as select * from OTHER.t"],
    ["writes another tenant's table", "insert into OTHER.t values (2)"],
    ["makes a table in another tenant's schema", "create table OTHER.mine (id int)"],
    ["drops another tenant's schema", "drop schema OTHER cascade"],
    ["makes a table in public", "create table public.mine (id int)"],
    ["makes a schema", "create schema mine"],
    ["renames its schema", "alter schema OWN rename to mine"],
    ["resets its role", "reset role; select * from public.users"],
    ["sets no role", "set role none; select * from public.users"],
    ["resets its session", "reset session authorization; select * from public.users"],
    ["discards all", "set search_path = public; select * from users"],
    ["becomes the connected role", "set role CONNECTED"],
    ["becomes the connected role for a session", "set session authorization CONNECTED"],
    ["becomes a superuser", "set session authorization postgres"],
    ["becomes another owner", "set role OTHER_ROLE"],
    ["joins another owner", "grant OTHER_ROLE to current_user"],
    ["takes the connected role in", "grant OWN_ROLE to OTHER_ROLE"],
    ["joins the group that connects", "set role GROUP"],
    ["raises itself", "alter role current_user superuser"],
    ["gives itself rights to make roles", "alter role current_user createrole"],
    ["keeps its login", "alter role current_user valid until 'infinity'"],
    ["changes another owner's password", "alter role OTHER_ROLE password 'known'"],
    ["changes the connected role", "alter role CONNECTED set search_path = mine"],
    ["makes a role", "create role mine login"],
    ["reads passwords", "create table stolen as select * from pg_authid"],
    ["reads passwords by the view", "create table stolen as select * from pg_shadow"],
    ["starts a program", "copy (select 1) to program 'true'"],
    ["reads a file of the server", "create table stolen as select pg_read_file('PG_VERSION')"],
    ["connects elsewhere", "create extension dblink"],
    [
      "ends other sessions",
      "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'CONNECTED'",
    ],
  ])("that %s fails", async (_what, statement) => {
    const other = await newTenant("create table t (id int)");
    await migrations.create(other.inputs(true));
    const [{ me } = { me: "" }] = await database.sql<{ me: string }>("select current_user as me");
    const tenant = await newTenant("create table t (id int)");
    const holder = new Client(process.env[urlEnv]);
    await holder.connect();
    tenant.add(
      2,
      statement
        .replaceAll("OTHER_ROLE", `"${other.role}"`)
        .replaceAll("OWN_ROLE", `"${tenant.role}"`)
        .replaceAll("OTHER", `"${other.schemaName}"`)
        .replaceAll("OWN", `"${tenant.schemaName}"`)
        .replaceAll("CONNECTED", me)
        .replaceAll("GROUP", `tenants_${other.role.split("_").at(-1) ?? ""}`),
    );
    await expect(migrations.create(tenant.inputs(true))).rejects.toThrow(
      /^migration 2_m\.sql failed in schema .*(permission denied|must be (able to|owner)|does not exist|not available|only roles with)/i,
    );
    await holder.query("select");
    await holder.end();
    expect(await database.sql(`select * from "${other.schemaName}".t`)).toEqual([]);
    expect(await ownersIn(tenant.schemaName)).toEqual([tenant.role]);
    expect(await roles(tenant.role)).toEqual([closed]);
  });
});

describe("what a migration of an isolated tenant leaves behind", () => {
  it("as security definer reads no more when the product calls it", async () => {
    const tenant = await newTenant(
      `create function spy() returns bigint language sql security definer as
        $$ select count(*) from public.users $$`,
    );
    // Its body is checked when it is made, so it is refused already; without that check it fails later.
    await expect(migrations.create(tenant.inputs(true))).rejects.toThrow("permission denied");
    tenant.add(
      1,
      `set check_function_bodies = off; create function spy() returns bigint language sql security definer as
        $$ select count(*) from public.users $$`,
    );
    await migrations.create(tenant.inputs(true));
    await expect(database.sql(`select "${tenant.schemaName}".spy()`)).rejects.toMatchObject({
      code: "42501",
    });
  });

  // They do nothing as the owner, and steal as anybody else. An immutable function may not write by itself.
  const trap = `create function steal() returns void language plpgsql as $$ begin
      if current_user not like 'tenant%' then
        create table if not exists public.stolen as select password_hash from public.users;
      end if;
    end $$;
    create function trap() returns text language plpgsql immutable as $$ begin
      perform "OWN".steal();
      return '1';
    end $$`;

  test.each([
    [
      "a view in the place of dbmate's table",
      `${trap}; alter table schema_migrations rename to kept;
      create view schema_migrations as select version from kept where trap() = '1';
      create rule r as on insert to schema_migrations do instead insert into kept values (new.version)`,
    ],
    [
      "a policy on dbmate's table",
      `${trap}; alter table schema_migrations enable row level security;
      alter table schema_migrations force row level security;
      create policy p on schema_migrations using (trap() = '1')`,
    ],
    [
      "an index that is planned with when dbmate's table is read",
      `${trap}; create index on schema_migrations ((version || trap()))`,
    ],
  ])("cannot use the connected role when that looks at the schema: %s", async (_what, sql) => {
    const tenant = await newTenant("create table t (id int)");
    tenant.add(2, sql.replaceAll("OWN", tenant.schemaName));
    const { outs } = await migrations.create(tenant.inputs(true));
    tenant.add(3, "create table later (id int)");
    await migrations.read(tenant.schemaName, outs);
    await migrations.update(tenant.schemaName, outs, tenant.inputs(true));
    await tenantRecord.read(tenant.id, tenant.record);
    const stolen = () =>
      asSuperuser(
        "select from pg_class where relname = 'stolen' and relnamespace = 'public'::regnamespace",
      );
    expect(await stolen()).toEqual([]);
    // The trap works.
    await database.sql(`select * from "${tenant.schemaName}".schema_migrations`);
    expect(await stolen()).toHaveLength(1);
    await database.sql("drop table public.stolen");
    await migrations.delete(tenant.schemaName, outs);
  });

  it("a password of its own, which lets nobody in once the run has ended", async () => {
    const tenant = await newTenant("alter role current_user password 'known'");
    await migrations.create(tenant.inputs(true));
    const url = new URL(process.env[urlEnv] ?? "");
    url.username = tenant.role;
    url.password = "known";
    await expect(new Client(url.href).connect()).rejects.toMatchObject({ code: /^28/ });
  });
});
