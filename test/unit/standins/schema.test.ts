import { UNKNOWN } from "../../../engine/standins/postgresql/properties";
import { diffSchema } from "../../../engine/standins/postgresql/schema-diff";
import { checkSchema } from "../../../engine/standins/postgresql/schema-inputs";
import { refreshedInputs } from "../../../engine/standins/postgresql/schema-state";

const STATE = {
  id: "app.a",
  database: "app",
  name: "a",
  owner: "owner",
  ifNotExists: true,
  dropCascade: true,
  policies: [{ role: "someone" }],
};

test("a schema in another database replaces the old one, which goes first if it has the name", () => {
  expect(diffSchema(STATE, { name: "a", dropCascade: true, database: "other" }, [])).toEqual({
    changed: ["database"],
    replacing: ["database"],
    deleteFirst: true,
  });
  expect(diffSchema(STATE, { name: "b", dropCascade: true, database: UNKNOWN }, [])).toEqual({
    changed: ["database", "name"],
    replacing: ["database"],
    deleteFirst: false,
  });
});

test("leaving dropCascade out takes it back; leaving the owner out changes nothing", () => {
  expect(diffSchema(STATE, { name: "a" }, []).changed).toEqual(["dropCascade"]);
});

test("a change that is to be ignored is none", () => {
  expect(diffSchema(STATE, { name: "b", owner: "x" }, ["name", "dropCascade"]).changed).toEqual([
    "owner",
  ]);
});

test("a state that lacks what has a default differs in nothing", () => {
  expect(diffSchema({ name: "a", database: "app", owner: "o" }, { name: "a" }, []).changed).toEqual(
    [],
  );
});

test.each([
  ["true", true],
  ["T", true],
  ["0", false],
  ["False", false],
])("the string %j is the boolean %j", (text, value) => {
  expect(checkSchema("s", { name: "a", dropCascade: text })).toEqual({
    inputs: { name: "a", dropCascade: value, ifNotExists: true, __defaults: ["ifNotExists"] },
    failures: [],
  });
});

test.each([
  ["name", 5, "5"],
  ["owner", 1.5, "1.5"],
  ["database", true, "true"],
])("the %s %p is the text %j, as the official plugin has it", (key, value, text) => {
  const { inputs, failures } = checkSchema("s", { name: "a", [key]: value });
  expect(inputs[key]).toBe(text);
  expect(failures).toEqual([]);
});

test("every fault is found at once, each with the property's name", () => {
  const { failures } = checkSchema("s", {
    name: { nested: true },
    ifNotExists: 5,
    policies: [],
    constructor: "x",
  });
  expect(failures).toEqual([
    { property: "", reason: "expected a string. Examine values at 's.name'." },
    {
      property: "",
      reason:
        "cannot parse '' as bool: strconv.ParseBool: parsing \"5\": invalid syntax. Examine values at 's.ifNotExists'.",
    },
    {
      property: "policies",
      reason: 'The stand-in for the postgresql plugin sets no "policies"; the official one does.',
    },
    { property: "", reason: "Invalid or unknown key. Examine values at 's.constructor'." },
  ]);
});

test("an input that a refresh finds changed was no default", () => {
  const older = { name: "a", ifNotExists: false, __defaults: ["ifNotExists"] };
  expect(refreshedInputs({ ...STATE, name: "a" }, older)).toEqual({
    name: "a",
    ifNotExists: true,
    __defaults: [],
  });
});
