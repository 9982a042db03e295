import { tenantRecord } from "../../../provider/resources";

const urlEnv = "DATABASE_URL";
const declared = { urlEnv, name: "Acme", slug: "acme", owner: "o/p/s::acme", forceDestroy: false };
const known = { id: "660e8400-e29b-41d4-a716-446655440000", name: "app" };
/** A database without control tables. */
const nameOnly = { name: "app" };
const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

describe("the database among a step's inputs", () => {
  it.each([
    ["is that which the program found", {}, known, known],
    ["is not told of a new step before the control tables are made", {}, nameOnly, undefined],
    ["is told of a step that is there, also without them", declared, nameOnly, nameOnly],
    ["is left to pulumi up, where only that will know it", {}, unknown, unknown],
    ["is left out where the program did not ask", declared, undefined, undefined],
  ])("%s", (_what, olds, database, expected) => {
    const { inputs, failures } = tenantRecord.check(olds, { ...declared, database });
    expect({ failures, database: inputs.database }).toEqual({ failures: [], database: expected });
  });

  it("is refused where it is no identity", () => {
    expect(tenantRecord.check({}, { ...declared, database: { id: "7" } }).failures).toEqual([
      { property: "database", reason: "is no identity of a database" },
    ]);
  });
});
