import { EventEmitter } from "node:events";
import { runMigrations } from "graphile-worker";
import { Client } from "pg";
import { migrate } from "../../../provider/database/dbmate";
import {
  publicMigrationsDir,
  readMigrations,
  tenantMigrationsDir,
} from "../../../provider/database/migrations";
import { createTestDatabase, type TestDatabase } from "../../support/database";

let database: TestDatabase;
let role: string;

beforeEach(async () => {
  database = await createTestDatabase();
  role = new URL(database.url).username;
  process.env.ROLE_URL = database.url;
});
afterEach(() => database.drop());

async function run(url: string, ...statements: string[]): Promise<void> {
  const client = new Client(url);
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

const asRole = (...statements: string[]) => run(database.url, ...statements);
const asSuperuser = (...statements: string[]) => run(database.superuserUrl, ...statements);

const urlEnv = "ROLE_URL";
const schema = "tenant_660e8400-e29b-41d4-a716-446655440000";

/** What the service, a stack and the queue make in a database. */
const work: Record<string, () => Promise<unknown>> = {
  "the control tables": () => applyAll("public", publicMigrationsDir),
  "the queue": async () =>
    runMigrations({ connectionString: database.url, events: new EventEmitter() }),
  "a tenant": async () => {
    await asRole(`create schema "${schema}"`);
    await applyAll(schema, tenantMigrationsDir);
    await asRole(`drop schema "${schema}" cascade`);
  },
};

const applyAll = (schemaName: string, directory: string) =>
  migrate({ database: urlEnv, schemaName, directory, files: readMigrations(directory) });

describe("with the role that docs/operating.md makes", () => {
  test("all that is wanted is made", async () => {
    for (const make of Object.values(work)) await make();
  });

  test.each([
    [
      "connect on the database",
      "the control tables",
      "revoke connect on database :name from :name",
    ],
    ["create on the database", "the queue", "revoke create on database :name from :name"],
    ["create on the database", "a tenant", "revoke create on database :name from :name"],
    ["usage on public", "the control tables", "revoke usage on schema public from :name"],
    ["create on public", "the control tables", "revoke create on schema public from :name"],
  ])("less %s, %s cannot be made", async (_right, name, revoke) => {
    await asSuperuser(revoke.replaceAll(":name", role));
    await expect(work[name]?.()).rejects.toThrow(
      /permission denied for (database|schema)|no schema/,
    );
  });
});

describe("the role cannot", () => {
  test.each([
    ["make a database", "create database another", "42501"],
    ["make a role", "create role another", "42501"],
    ["raise itself", "alter role current_user superuser", "42501"],
    ["become another role", "set role postgres", "42501"],
    ["drop its database", "drop database :name", "42501"],
    ["give others rights on its database", "alter database :name owner to current_user", "42501"],
    ["replicate", "select pg_create_physical_replication_slot('s')", "42501"],
    ["read the server's files", "select pg_read_file('PG_VERSION')", "42501"],
    ["start programs", "copy (select 1) to program 'true'", "42501"],
    ["change the server", "alter system set work_mem = '1MB'", "42501"],
    ["make a temporary table", "create temporary table t (id int)", "42501"],
  ])("%s", async (_what, statement, code) => {
    await expect(asRole(statement.replaceAll(":name", role))).rejects.toMatchObject({ code });
  });

  test("end another role's session", async () => {
    const theirs = new Client(database.superuserUrl);
    await theirs.connect();
    await expect(
      asRole(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename <> current_user",
      ),
    ).rejects.toMatchObject({ code: "42501" });
    await theirs.end();
  });

  test("read, change or drop what another role keeps beside the tenants", async () => {
    await asSuperuser(
      "create schema elsewhere",
      "create table elsewhere.secrets as select 1 as id",
      "create table public.theirs as select 1 as id",
    );
    for (const statement of [
      "select * from elsewhere.secrets",
      "create table elsewhere.mine (id int)",
      "drop schema elsewhere cascade",
      "select * from public.theirs",
      "drop table public.theirs",
    ]) {
      await expect(asRole(statement)).rejects.toMatchObject({ code: "42501" });
    }
  });

  test("connect to another product's database", async () => {
    const other = await createTestDatabase();
    const url = new URL(database.url);
    url.pathname = new URL(other.url).pathname;
    await expect(run(url.href)).rejects.toMatchObject({ code: "42501" });
    await other.drop();
  });
});
