import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Client } from "pg";
import { adminMembership, adminUser, migrations, tenantRecord } from "../../../provider/resources";
import { hashPassword } from "../../../provider/contract/passwords";
import { checked, useResourceDatabase } from "../../support/resources";
import { cleanUpServices, temporaryFolder } from "../../support/service-process";

type Record = Parameters<typeof tenantRecord.create>[0];
type Migrations = Parameters<typeof migrations.create>[0];
type Membership = Parameters<typeof adminMembership.create>[0];

// Before the database goes, in which the roles have rights.
afterAll(async () => {
  const roles = [login, stranger, product, reports].map(quoted).join(", ");
  await superuser.query(`drop owned by ${roles}`);
  await superuser.query(`drop role ${roles}`);
  await superuser.end();
  await cleanUpServices();
});
const database = useResourceDatabase();
const suffix = randomBytes(4).toString("hex");
// A name that has to be quoted wherever it is put into SQL.
const [product, reports, login, stranger] = ['Product "role"', "reports", "login", "stranger"].map(
  (name) => `${name} ${suffix}`,
) as [string, string, string, string];
const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
const password = randomBytes(8).toString("hex");
const migrationsDir = path.join(temporaryFolder("product-roles-"), "migrations");
let superuser: Client;

const write = (file: string, up: string) => {
  mkdirSync(migrationsDir, { recursive: true });
  writeFileSync(path.join(migrationsDir, file), `-- migrate:up\n${up};\n-- migrate:down\n`);
};

beforeAll(async () => {
  superuser = new Client(database.superuserUrl());
  await superuser.connect();
  const name = new URL(database.superuserUrl()).pathname.slice(1);
  for (const role of [product, reports]) await superuser.query(`create role ${quoted(role)}`);
  for (const role of [login, stranger]) {
    await superuser.query(`create role ${quoted(role)} login password '${password}'`);
    await superuser.query(`grant connect on database "${name}" to ${quoted(role)}`);
  }
  await superuser.query(`grant ${quoted(product)} to ${quoted(login)}`);
  write(
    "1_a.sql",
    `create table a (id int generated always as identity, text text);
    create table ledger (id int);
    do $$ begin execute 'revoke update, delete on ledger from ' || quote_ident('${product}');
    exception when undefined_object then null; end $$`,
  );
});
/** Runs a statement as a role that can log in. */
async function as(role: string, statement: string): Promise<unknown[]> {
  const url = new URL(database.superuserUrl());
  Object.assign(url, { username: encodeURIComponent(role), password });
  const client = new Client(url.href);
  await client.connect();
  try {
    return (await client.query<object>(statement)).rows;
  } finally {
    await client.end();
  }
}

/** A tenant as the five steps make it. */
interface Made {
  readonly id: string;
  readonly schema: string;
  readonly record: Record;
  readonly migrations: Migrations;
  readonly membership: Membership;
}

let count = 0;
const common = { urlEnv: database.urlEnv, forceDestroy: true };

async function make(productRoles?: string[], owner?: string): Promise<Made> {
  const slug = `tenant-${++count}`;
  const record = checked<Record>(
    tenantRecord.check({}, { ...common, name: "T", slug, owner: slug, productRoles }),
  );
  const { id } = await tenantRecord.create(record);
  const admin = adminUser.check(
    {},
    {
      ...{ ...common, tenantId: id, email: `${slug}@acme.example`, firstName: "A", lastName: "D" },
      password: await hashPassword("correct horse", slug),
    },
  );
  const { id: userId } = await adminUser.create(checked(admin));
  const schemaName = `tenant_${id}`;
  const schema = `"${schemaName}"`;
  await database.sql(`create schema ${schema}`);
  if (owner !== undefined) await superuser.query(`alter schema ${schema} owner to ${owner}`);
  const files = checked<Migrations>(
    migrations.check({}, { ...common, schemaName, migrationsDir, productRoles }),
  );
  const migrated = await migrations.create(files);
  const membership = checked<Membership>(
    adminMembership.check({}, { ...common, tenantId: id, userId, status: "active", productRoles }),
  );
  const { outs } = await adminMembership.create(membership);
  return {
    id,
    schema,
    record,
    migrations: { ...files, ...migrated.outs },
    membership: outs,
  };
}

/** Brings the last step to other inputs, as an update does. @returns the state. */
async function publish({ membership }: Made, news: object): Promise<Membership> {
  const { gate, ...given } = membership;
  const inputs = checked<Membership>(adminMembership.check(membership, { ...given, ...news }));
  expect(adminMembership.diff("", membership, inputs).changes).toBe(true);
  expect(gate).toBe(given.productRoles && (given.status === "active" ? "open" : "closed"));
  return (await adminMembership.update("", membership, inputs)).outs;
}

/** Brings the migrations to other inputs. */
async function migrateOn(made: Made, news: object): Promise<Migrations> {
  const { files, version, mark, fingerprint, ...given } = made.migrations as Migrations & {
    mark: string;
  };
  expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
  const inputs = checked<Migrations>(
    migrations.check({ ...given, files, version }, { ...given, ...news }),
  );
  expect(migrations.diff("", made.migrations, inputs).changes).toBe(true);
  expect(mark).toBeDefined();
  return (await migrations.update("", made.migrations, inputs)).outs;
}

const denied = /permission denied/;

describe("a login that is a member of a product role", () => {
  let made: Made;
  beforeAll(async () => {
    made = await make([product]);
  });

  it("can read and write the tenant's tables, and no other role can", async () => {
    const { schema } = made;
    const write = `insert into ${schema}.a (text) values ('x') returning id, text`;
    expect(await as(login, write)).toEqual([{ id: 1, text: "x" }]);
    expect(await as(login, `update ${schema}.a set text = 'y' returning text`)).toEqual([
      { text: "y" },
    ]);
    expect(await as(login, `delete from ${schema}.a returning id`)).toEqual([{ id: 1 }]);
    for (const statement of [write, `select from ${schema}.a`]) {
      await expect(as(stranger, statement)).rejects.toThrow(denied);
    }
  });

  it("cannot make or drop anything there, and can only read which migrations are applied", async () => {
    const { schema } = made;
    expect(await as(login, `select version from ${schema}.schema_migrations`)).toEqual([
      { version: "1" },
    ]);
    for (const statement of [
      `create table ${schema}.mine (id int)`,
      `drop table ${schema}.a`,
      `delete from ${schema}.schema_migrations`,
    ]) {
      await expect(as(login, statement)).rejects.toThrow(/permission denied|must be owner/);
    }
  });

  it("cannot do what a migration has taken from it", async () => {
    const { schema } = made;
    await as(login, `insert into ${schema}.ledger values (1)`);
    await expect(as(login, `delete from ${schema}.ledger`)).rejects.toThrow(denied);
  });

  it("can use what a later migration makes", async () => {
    write("2_b.sql", "create table b (id int); create view v as select * from b");
    made = { ...made, migrations: await migrateOn(made, {}) };
    await as(login, `insert into ${made.schema}.b values (1)`);
    expect(await as(login, `select id from ${made.schema}.v`)).toEqual([{ id: 1 }]);
    await expect(as(login, `delete from ${made.schema}.ledger`)).rejects.toThrow(denied);
  });

  it("cannot use any of it while the tenant is suspended or deleted", async () => {
    const bystander = await make([product]);
    for (const status of ["suspended", "deleted"]) {
      const closed = await publish(made, { status });
      expect(closed).toMatchObject({ status, gate: "closed" });
      await expect(as(login, `select from ${made.schema}.a`)).rejects.toThrow(denied);
      await as(login, `select from ${bystander.schema}.a`);
      await publish({ ...made, membership: closed }, { status: "active" });
      await as(login, `select from ${made.schema}.a`);
    }
  });

  it("is shut out by the first step of a run that suspends, and by the end's", async () => {
    await tenantRecord.update(made.id, made.record, { ...made.record, status: "suspended" });
    await expect(as(login, `select from ${made.schema}.a`)).rejects.toThrow(denied);
    await adminMembership.create(made.membership);
    await as(login, `select from ${made.schema}.a`);
    await adminMembership.delete("", { ...made.membership, forceDestroy: false });
    await expect(as(login, `select from ${made.schema}.a`)).rejects.toThrow(denied);
    await adminMembership.create(made.membership);
  });
});

describe("a gate that somebody changed", () => {
  it.each([
    [
      "closed",
      "active",
      "closed",
      (schema: string) => `revoke usage on schema ${schema} from ${quoted(product)}`,
    ],
    [
      "opened",
      "suspended",
      "open",
      (schema: string) => `grant usage on schema ${schema} to ${quoted(product)}`,
    ],
    [
      "opened to all",
      "active",
      "open to PUBLIC",
      (schema: string) => `grant usage on schema ${schema} to public`,
    ],
  ])("is seen and mended: %s", async (_what, status, gate, statement) => {
    const made = await make([product]);
    const state = status === "active" ? made.membership : await publish(made, { status });
    const read = async () => (await adminMembership.read("id", state)) as { props: Membership };
    expect((await read()).props).toEqual(state);
    await database.sql(statement(made.schema));
    const { props } = await read();
    expect(props).toMatchObject({ gate });
    expect(adminMembership.diff("", props, state).changes).toBe(true);
    await adminMembership.update("", props, state);
    expect((await read()).props).toEqual(state);
  });
});

describe("the list of product roles", () => {
  it("that is empty grants nothing and revokes nothing", async () => {
    const made = await make();
    await database.sql(`grant usage on schema ${made.schema} to ${quoted(reports)}`);
    const suspended = await publish(made, { status: "suspended" });
    expect(suspended).not.toHaveProperty("gate");
    expect(
      await database.sql("select where has_schema_privilege($1, $2, 'usage')", [
        ...[reports, `tenant_${made.id}`],
      ]),
    ).toHaveLength(1);
    await expect(as(login, `select from ${made.schema}.a`)).rejects.toThrow(denied);
  });

  it("may be named later, and changed: those that are taken out lose all", async () => {
    const made = await make();
    const named = { ...made, migrations: await migrateOn(made, { productRoles: [product] }) };
    named.membership = await publish(named, { productRoles: [product] });
    await as(login, `insert into ${made.schema}.a (text) values ('x')`);
    await migrateOn(named, { productRoles: [reports] });
    named.membership = await publish(named, { productRoles: [reports] });
    const left = await superuser.query(
      `select from pg_shdepend where refobjid = $1::regrole and dbid = (select oid from pg_database
        where datname = current_database()) and (
          objid = $2::regnamespace or objid in (select oid from pg_class where relnamespace = $2::regnamespace)
          or objid in (select oid from pg_default_acl where defaclnamespace = $2::regnamespace))`,
      [quoted(product), made.schema],
    );
    expect(left.rowCount).toBe(0);
    await expect(as(login, `select from ${made.schema}.a`)).rejects.toThrow(denied);
    await superuser.query(`grant ${quoted(reports)} to ${quoted(login)}`);
    expect(await as(login, `select text from ${made.schema}.a`)).toEqual([{ text: "x" }]);
    await superuser.query(`revoke ${quoted(reports)} from ${quoted(login)}`);
    const unnamed = await publish(named, { productRoles: undefined });
    for (const property of ["productRoles", "gate"]) expect(unnamed).not.toHaveProperty(property);
  });

  it("with a role that is not there is refused before anything is made", async () => {
    await expect(make([product, "nobody of that name"])).rejects.toThrow(
      "productRoles: role nobody of that name does not exist: create it first",
    );
    expect(await database.sql("select from tenants where slug = $1", [`tenant-${count}`])).toEqual(
      [],
    );
  });

  it("with a role to whom nothing can be closed is refused", async () => {
    const me = decodeURIComponent(new URL(process.env[database.urlEnv] ?? "").username);
    await expect(make([me])).rejects.toThrow(`role ${me} may act as ${me}`);
  });
});

test("a schema that belongs to another role, in which this one makes the tables, works as well", async () => {
  const me = decodeURIComponent(new URL(process.env[database.urlEnv] ?? "").username);
  const owner = quoted(`owner ${suffix}`);
  await superuser.query(`create role ${owner}`);
  await superuser.query(`grant ${owner} to "${me}"`);
  const made = await make([product], owner);
  await as(login, `insert into ${made.schema}.a (text) values ('x')`);
  await superuser.query(`set role ${owner}`);
  await superuser.query(`create table ${made.schema}.by_owner (id int)`);
  await superuser.query("reset role");
  await as(login, `insert into ${made.schema}.by_owner values (1)`);
  await publish(made, { status: "suspended" });
  await expect(as(login, `select from ${made.schema}.by_owner`)).rejects.toThrow(denied);
  await superuser.query(`reassign owned by ${owner} to "${me}"`);
  await superuser.query(`drop owned by ${owner}`);
  await superuser.query(`drop role ${owner}`);
});
