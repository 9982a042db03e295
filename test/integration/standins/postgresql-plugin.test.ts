import { createSchemaDatabase, type SchemaDatabase } from "./database";
import { startPlugin, type PluginProcess } from "./plugin-process";
import { ProviderClient } from "./provider-client";
import type { Properties } from "../../../engine/standins/postgresql/properties";

let database: SchemaDatabase;
let other: SchemaDatabase;
let plugin: PluginProcess;
let clients: ProviderClient[] = [];

beforeAll(async () => {
  [database, other, plugin] = await Promise.all([
    createSchemaDatabase(),
    createSchemaDatabase(),
    startPlugin("postgresql/main.js"),
  ]);
});

afterEach(() => {
  for (const client of clients) client.close();
  clients = [];
});

afterAll(async () => {
  await plugin.stop();
  await Promise.all([database.drop(), other.drop()]);
});

test("serves each engine that attaches with the database that it configured", async () => {
  const [first, second] = [await engineOn(database), await engineOn(other)];
  expect(await first.attach()).toEqual({});
  await first.create({ name: "in_the_first" });
  await second.create({ name: "in_the_second" });
  await first.create({ name: "in_the_first_too" });
  expect(await database.schemas()).toEqual([
    `in_the_first (${database.owner})`,
    `in_the_first_too (${database.owner})`,
  ]);
  expect(await other.schemas()).toEqual([`in_the_second (${other.owner})`]);

  expect(await connect().create({ name: "whose" })).toEqual({
    error: { code: "UNKNOWN", message: expect.stringContaining("not configured") as string },
  });
});

test("asks no database for a check, a diff or a preview", async () => {
  const client = await engineOn({ ...database, port: "1" });
  const state = stateOf("a");
  expect(await client.check({ name: "a" })).not.toHaveProperty("error");
  expect(await client.diff(state, { name: "b" })).toMatchObject({ diffs: ["name"] });
  expect(await client.create({ name: "a" }, true)).not.toHaveProperty("error");
  expect(await client.update("d.a", state, { name: "b", dropCascade: true }, true)).toEqual({
    properties: { ...state, name: "b", dropCascade: true },
  });
});

test("says which server it cannot reach, and never the password", async () => {
  const client = await engineOn({ ...database, password: "not-the-password" });
  const { error } = await client.create({ name: "a" });
  expect(error).toEqual({
    code: "UNKNOWN",
    message:
      `1 error occurred:\n\t* error connecting to PostgreSQL server ${database.host} ` +
      `(scheme: postgres): pq: password authentication failed for user "${database.owner}" (28P01)\n\n`,
  });
});

test("imports a schema by its id, with all that PostgreSQL knows of it", async () => {
  const client = await engineOn(database);
  await client.create({ name: "imported" });
  const id = `${database.name}.imported`;
  const live = { database: database.name, name: "imported", owner: database.owner };
  expect(await client.read(id, {}, {})).toEqual({
    id,
    properties: expect.objectContaining({
      ...live,
      ifNotExists: true,
      dropCascade: false,
    }) as object,
    inputs: { ...live, __defaults: [] },
  });
  expect(await client.read("imported", {}, {})).toHaveProperty(
    "error.message",
    expect.stringContaining("schema ID imported has not the expected format 'database.schema'"),
  );
});

test("finds by refresh who owns a schema now, and keeps the policies of an older state", async () => {
  const client = await engineOn(database);
  await client.create({ name: "handed_over" });
  await database.query(`alter schema handed_over owner to ${database.keeper}`);
  const older = { ...stateOf("handed_over"), policies: [{ role: "someone", usage: true }] };
  const answer = await client.read("d.handed_over", older, {
    name: "handed_over",
    owner: database.owner,
    ifNotExists: true,
    __defaults: ["ifNotExists"],
  });
  expect(answer.properties).toEqual({ ...older, owner: database.keeper });
  expect(answer.inputs).toEqual({
    name: "handed_over",
    owner: database.keeper,
    ifNotExists: true,
    __defaults: ["ifNotExists"],
  });
});

test("leaves the schema as it was when PostgreSQL refuses half of an update", async () => {
  const client = await engineOn(database);
  await client.create({ name: "kept" });
  const answer = await client.update("d.kept", stateOf("kept"), {
    name: "renamed",
    owner: "nobody_there",
  });
  expect(answer.error).toEqual({
    code: "UNKNOWN",
    message:
      "updating urn:pulumi:dev::p::postgresql:index/schema:Schema::s: 1 error occurred:\n" +
      '\t* error updating schema OWNER: pq: role "nobody_there" does not exist (42704)\n\n',
  });
  expect(await database.schemas()).toContain(`kept (${database.owner})`);
});

test("makes and finds schemas in another database of the server, until that is gone", async () => {
  const client = await engineOn(database);
  const elsewhere = `${database.name}_elsewhere`;
  await database.query(`create database ${elsewhere} owner ${database.owner}`);
  const { id, properties } = await client.create({ name: "a", database: elsewhere });
  expect(id).toBe(`${elsewhere}.a`);
  const state = properties as Properties;
  expect(await client.read(`${elsewhere}.a`, state, {})).toMatchObject({ id });
  await database.query(`drop database ${elsewhere} with (force)`);
  expect(await client.read(`${elsewhere}.a`, state, {})).toEqual({});
});

test("is a member of the owner's role only for as long as giving the schema takes", async () => {
  const client = await engineOn(database);
  const { owner, keeper } = database;
  const membership = `select admin_option, inherit_option, set_option from pg_auth_members
    where roleid = '${keeper}'::regrole and member = '${owner}'::regrole`;
  await database.query(`revoke ${keeper} from ${owner}`);
  await database.query(`grant ${keeper} to ${owner} with admin true, inherit false, set false`);
  const before = await database.query(membership);
  const answer = await client.create({ name: "given", owner: keeper });
  expect(answer).toMatchObject({ properties: { owner: keeper } });
  expect(await database.query(membership)).toEqual(before);
  await client.delete("d.given", { ...stateOf("given"), owner: keeper });
  expect(await database.query(membership)).toEqual(before);
  expect(await database.schemas()).not.toContain(`given (${keeper})`);
});

test("says that it is a stand-in wherever the official plugin does more", async () => {
  const client = await engineOn(database);
  expect(await client.check({}, "urn:pulumi:dev::p::postgresql:index/role:Role::r")).toEqual({
    error: {
      code: "UNKNOWN",
      message:
        "The stand-in for the postgresql plugin serves postgresql:index/schema:Schema alone; " +
        "postgresql:index/role:Role needs the official plugin.",
    },
  });
  expect(await client.invoke()).toEqual({
    error: {
      code: "UNIMPLEMENTED",
      message: "The stand-in for the postgresql plugin does not serve Invoke.",
    },
  });
  expect(await client.check({})).toMatchObject({
    failures: [{ property: "name", reason: expect.stringContaining("stand-in") as string }],
  });
});

function connect(): ProviderClient {
  const client = new ProviderClient(plugin.address);
  clients.push(client);
  return client;
}

async function engineOn(
  at: Pick<SchemaDatabase, "host" | "port" | "name" | "owner" | "password">,
): Promise<ProviderClient> {
  const client = connect();
  await client.configure({
    host: at.host,
    port: at.port,
    database: at.name,
    username: at.owner,
    password: at.password,
    sslmode: "disable",
  });
  return client;
}

function stateOf(name: string): Properties {
  return {
    id: `${database.name}.${name}`,
    database: database.name,
    name,
    owner: database.owner,
    ifNotExists: true,
    dropCascade: false,
    policies: [],
  };
}
