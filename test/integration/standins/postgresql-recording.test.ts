import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createSchemaDatabase, type SchemaDatabase } from "./database";
import { startPlugin, type PluginProcess } from "./plugin-process";
import { ProviderClient, type Answer } from "./provider-client";
import type { Properties } from "../../../engine/standins/postgresql/properties";

/** A call to the official plugin, its answer, and the schemas that the database held after it. */
interface Call {
  readonly case: string;
  readonly request: Properties;
  readonly answer: Answer;
  readonly schemas: string[];
}

const RECORDING = join(__dirname, "../../../../test/fixtures/postgresql-plugin-3.18.json");

let database: SchemaDatabase;
let plugin: PluginProcess;
let client: ProviderClient;

beforeAll(async () => {
  database = await createSchemaDatabase();
  plugin = await startPlugin("postgresql/main.js");
  client = new ProviderClient(plugin.address);
});

afterAll(async () => {
  client.close();
  await plugin.stop();
  await database.drop();
});

const NOTHING: Properties = {};

/** The calls follow one another: a schema's state and inputs go from each to the next. */
const life = { id: "", config: NOTHING, state: NOTHING, inputs: NOTHING };

describe("the stand-in answers as the official postgresql plugin 3.18 did", () => {
  const { calls } = JSON.parse(readFileSync(RECORDING, "utf8")) as { calls: Call[] };

  test.each(calls.map((call) => [call.case, call] as const))("%s", async (_, recorded) => {
    const call = asHere(recorded);
    if (call.case.includes("not empty, no dropCascade")) {
      await database.query(`create table "${textOf(life.state.name)}".something ()`);
    }
    const answer = await replay(call);
    if (call.case === "check: policies") {
      expect(answer.failures).toEqual([
        { property: "policies", reason: expect.stringContaining("stand-in") as string },
      ]);
    } else {
      expect(answer).toEqual(call.answer);
    }
    expect(await database.schemas()).toEqual(call.schemas);
  });
});

function replay(call: Call): Promise<Answer> {
  const { request } = call;
  switch (call.case.split(":")[0]) {
    case "checkConfig":
      life.config = Object.keys(life.config).length > 0 ? life.config : request;
      return client.checkConfig(request);
    case "diffConfig":
      return client.diffConfig(life.config, request);
    case "configure":
      return client.configure(request);
    case "check":
      return client.check(request);
    case "diff":
      return client.diff(life.state, request);
    case "create":
      return call.case === "create: preview"
        ? client.create(request, true)
        : remembered(client.create(request), request);
    case "read": {
      const id = textOf(request.id);
      const isKnown = id === life.id;
      return client.read(id, isKnown ? life.state : {}, isKnown ? life.inputs : {});
    }
    case "update":
      return remembered(client.update(life.id, life.state, request), request);
    case "delete":
      return client.delete(textOf(request.id), life.state);
    default:
      throw new Error(`no such call: ${call.case}`);
  }
}

/** As the engine, which keeps a resource's first id. */
async function remembered(answering: Promise<Answer>, inputs: Properties): Promise<Answer> {
  const answer = await answering;
  if (answer.properties) {
    life.id ||= textOf(answer.id);
    life.state = answer.properties as Properties;
    life.inputs = inputs;
  }
  return answer;
}

/** The call with this test's database and roles in the places of the recording's. */
function asHere(recorded: Call): Call {
  const here = JSON.stringify(recorded)
    .replaceAll("DATABASE", database.name)
    .replaceAll("OWNER", database.owner)
    .replaceAll("PASSWORD", database.password)
    .replaceAll("PORT", database.port)
    .replaceAll("schema_keeper", database.keeper);
  return JSON.parse(here) as Call;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
