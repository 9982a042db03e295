import { configOf, createSchemaDatabase, stateOf, type SchemaDatabase } from "./database";
import { startPlugin, type PluginProcess } from "./plugin-process";
import { ProviderClient } from "./provider-client";

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
  const state = stateOf(database, "a");
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

async function engineOn(at: Parameters<typeof configOf>[0]): Promise<ProviderClient> {
  const client = connect();
  await client.configure(configOf(at));
  return client;
}
