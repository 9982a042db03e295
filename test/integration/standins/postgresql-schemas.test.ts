import { badNetworkTo } from "../../support/bad-network";
import { configOf, createSchemaDatabase, stateOf, type SchemaDatabase } from "./database";
import { startPlugin, type PluginProcess } from "./plugin-process";
import { ProviderClient } from "./provider-client";
import type { Properties } from "../../../engine/standins/postgresql/properties";

let database: SchemaDatabase;
let plugin: PluginProcess;
let client: ProviderClient;

beforeAll(async () => {
  [database, plugin] = await Promise.all([
    createSchemaDatabase(),
    startPlugin("postgresql/main.js"),
  ]);
  client = new ProviderClient(plugin.address);
  await client.configure(configOf(database));
});

afterAll(async () => {
  client.close();
  await plugin.stop();
  await database.drop();
});

test("imports a schema by its id, with all that PostgreSQL knows of it", async () => {
  await client.create({ name: "imported" });
  const id = `${database.name}.imported`;
  const live = { database: database.name, name: "imported", owner: database.owner };
  expect(await client.read(id, {}, {})).toEqual({
    id,
    properties: expect.objectContaining({
      ...live,
      ifNotExists: null,
      dropCascade: null,
    }) as object,
    inputs: { ...live, ifNotExists: null, dropCascade: null, __defaults: [] },
  });
  expect(await client.read("imported", {}, {})).toHaveProperty(
    "error.message",
    expect.stringContaining("schema ID imported has not the expected format 'database.schema'"),
  );
});

test("a schema that was imported differs in nothing from one that is declared as the defaults say", async () => {
  await client.create({ name: "adopted" });
  const { properties } = await client.read(`${database.name}.adopted`, {}, {});
  const { inputs } = await client.check({ name: "adopted" });
  const state = properties as Properties;
  expect(await client.diff(state, inputs as Properties)).not.toHaveProperty("diffs");
  const refreshed = await client.read(`${database.name}.adopted`, state, {});
  expect(refreshed.properties).toEqual(state);
});

test("a schema whose name is a number has the number's text for its name", async () => {
  const { inputs, failures } = await client.check({ name: 5 });
  expect(failures).toBeUndefined();
  expect(inputs).toEqual({ name: "5", ifNotExists: true, __defaults: ["ifNotExists"] });
  const { id, properties } = await client.create(inputs as Properties);
  expect(id).toBe(`${database.name}.5`);
  expect(properties).toHaveProperty("name", "5");
});

test("the preview of an update shows all that the update writes", async () => {
  const { id, properties } = await client.create({ name: "previewed" });
  const news = { name: "previewed_too", dropCascade: true };
  const before = properties as Properties;
  const planned = await client.update(id as string, before, news, true);
  expect(planned.properties).toHaveProperty("__pulumi_raw_state_delta.obj.renamed.policies");
  const made = await client.update(id as string, before, news);
  // The id goes with the name, and a preview does not know that.
  expect({ ...(planned.properties as Properties), id: `${database.name}.previewed_too` }).toEqual(
    made.properties,
  );
});

test("finds by refresh who owns a schema now, and keeps the policies of an older state", async () => {
  await client.create({ name: "handed_over" });
  await database.query(`alter schema handed_over owner to ${database.keeper}`);
  const older = {
    ...stateOf(database, "handed_over"),
    policies: [{ role: "someone", usage: true }],
  };
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
  await client.create({ name: "kept" });
  const answer = await client.update("d.kept", stateOf(database, "kept"), {
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
  const elsewhere = `${database.name}_elsewhere`;
  await database.query(`create database ${elsewhere} owner ${database.owner}`);
  const { id, properties } = await client.create({ name: "a", database: elsewhere });
  expect(id).toBe(`${elsewhere}.a`);
  const state = properties as Properties;
  expect(await client.read(`${elsewhere}.a`, state, {})).toMatchObject({ id });
  await database.query(`drop database ${elsewhere} with (force)`);
  expect(await client.read(`${elsewhere}.a`, state, {})).toEqual({});
});

test("makes no schema in the database of an owner whom it cannot be a member of", async () => {
  const { name, owner, keeper } = database;
  await database.query(`revoke ${keeper} from ${owner}`);
  await database.query(`alter database ${name} owner to ${keeper}`);
  const { error } = await client.create({ name: "refused" });
  await database.query(`alter database ${name} owner to current_user`);
  await database.query(`grant ${keeper} to ${owner}`);
  expect(error).toMatchObject({
    message: expect.stringContaining("error granting role") as string,
  });
  expect((await client.create({ name: "taken" })).error).toBeUndefined();
});

test("is a member of the owner's role only for as long as giving the schema takes", async () => {
  const { owner, keeper } = database;
  const membership = `select admin_option, inherit_option, set_option from pg_auth_members
    where roleid = '${keeper}'::regrole and member = '${owner}'::regrole`;
  await database.query(`revoke ${keeper} from ${owner}`);
  await database.query(`grant ${keeper} to ${owner} with admin true, inherit false, set false`);
  const before = await database.query(membership);
  const answer = await client.create({ name: "given", owner: keeper });
  expect(answer).toMatchObject({ properties: { owner: keeper } });
  expect(await database.query(membership)).toEqual(before);
  await client.delete("d.given", { ...stateOf(database, "given"), owner: keeper });
  expect(await database.query(membership)).toEqual(before);
  expect(await database.schemas()).not.toContain(`given (${keeper})`);
});

test("fails when its connection has gone silent, and works again over a new one", async () => {
  const network = await badNetworkTo(`postgres://${database.host}:${database.port}`);
  const { hostname: host, port } = new URL(network.through("postgres://x"));
  const remote = new ProviderClient(plugin.address);
  await remote.configure(configOf({ ...database, host, port }));
  await remote.create({ name: "before_silence" });
  network.silence("those there are");
  const began = performance.now();
  expect(await remote.create({ name: "in_silence" })).toHaveProperty(
    "error.message",
    expect.stringContaining("Connection terminated"),
  );
  expect(performance.now() - began).toBeLessThan(20_000);
  expect(await remote.create({ name: "after_silence" })).toHaveProperty("id");
  remote.close();
  await network.close();
}, 60_000);
