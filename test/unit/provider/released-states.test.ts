import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { runInNewContext } from "node:vm";
import { tenantMigrationsDir } from "../../../provider/database/migrations";
import * as lifecycles from "../../../provider/resources";
import { providerText, providerTexts } from "../../../provider/resources/dynamic";

/** A resource as the engine keeps it. */
interface StateResource {
  type: string;
  id: string;
  inputs: Record<string, unknown> & { __provider: string };
  outputs: Record<string, unknown>;
}
interface Lifecycle {
  check(olds: object, news: object): { inputs: Record<string, unknown>; failures: unknown[] };
  diff(id: string, olds: object, news: object): { changes: boolean; replaces: string[] };
}

const folder = path.resolve(__dirname, "../../../../test/fixtures/states");

describe.each(readdirSync(folder))("the state of release %s", (file) => {
  const { resources } = JSON.parse(readFileSync(path.join(folder, file), "utf8")) as {
    resources: StateResource[];
  };

  it("holds every step that is a dynamic resource", () => {
    expect(resources.map(({ type }) => type.split(":").at(-1))).toEqual([
      ...["PublicMigrations", "Record", "AdminUser", "Migrations", "Membership"],
    ]);
  });

  it.each(resources)("holds code that the kept provider takes: $type", ({ inputs }) => {
    expect(providerTexts).toContain(inputs.__provider);
  });

  const database = { id: "660e8400-e29b-41d4-a716-446655440000", name: "app" };

  it.each(resources)("takes the database for its own, without a change: $type", (resource) => {
    const given = { ...givenTo(resource), database };
    const news = JSON.parse(JSON.stringify(given)) as object;
    const { inputs, failures } = lifecycleOf(resource).check(resource.inputs, news);
    expect(failures).toEqual([]);
    const { files, version } = resource.inputs;
    const asThen = files === undefined ? inputs : { ...inputs, files, version };
    expect(asThen.database).toEqual(database);
    expect(lifecycleOf(resource).diff(resource.id, resource.outputs, asThen).changes).toBe(false);
  });

  it.each(resources)("refuses another database from then on: $type", (resource) => {
    const news = JSON.parse(JSON.stringify(givenTo(resource))) as object;
    const other = { id: "770e8400-e29b-41d4-a716-446655440000", name: "other" };
    const reasonsFor = (found: object) =>
      lifecycleOf(resource).check({ ...resource.inputs, database }, { ...news, database: found })
        .failures;
    expect(reasonsFor(other)).toEqual([
      {
        property: "",
        reason: expect.stringMatching(
          /^OTHER_DATABASE: DATABASE_URL names another.*name other instead of app/,
        ) as string,
      },
    ]);
    expect(reasonsFor({ ...other, replaces: [database.id] })).toEqual([]);
  });

  it.each(resources)("is served by today's code without a change: $type", (resource) => {
    const news = JSON.parse(JSON.stringify(givenTo(resource))) as object;
    const { inputs, failures } = lifecycleOf(resource).check(resource.inputs, news);
    expect(failures).toEqual([]);
    // A migration that was written since is news, and the only one.
    const { files, version } = resource.inputs;
    const asThen = files === undefined ? inputs : { ...inputs, files, version };
    expect(lifecycleOf(resource).diff(resource.id, resource.outputs, asThen)).toMatchObject({
      changes: false,
      replaces: [],
    });
  });
});

test("the kept provider takes the code of every life cycle that there is", () => {
  const names = Object.keys(lifecycles) as (keyof typeof lifecycles)[];
  expect(names.map(providerText).toSorted()).toEqual(providerTexts.toSorted());
});

/**
 * The inputs as today's program gives them: without what check adds by itself, and with the folder, which a
 * tenant's migrations had by default then.
 */
function givenTo({ type, inputs }: StateResource): object {
  const rest = { ...inputs, files: undefined, version: undefined };
  return type.endsWith(":Migrations") ? { ...rest, migrationsDir: tenantMigrationsDir } : rest;
}

/** Finds the life cycle as the engine does: by evaluating the text that the state holds. */
function lifecycleOf({ inputs }: StateResource): Lifecycle {
  const module = { handler: (): unknown => undefined };
  runInNewContext(inputs.__provider, { exports: module, require: () => lifecycles });
  return module.handler() as Lifecycle;
}
