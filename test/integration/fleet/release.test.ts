import { docBlock } from "../../support/docs";
import { useFleet } from "../../support/fleet";

const fleet = useFleet();
beforeEach(() => fleet.reset());

test("a release, as docs/fleet.md has it: planned, a failure mended, resumed", async () => {
  await fleet.addTenants(5);
  fleet.write("2_more.sql", "create table b (id int)");
  const commands = docBlock("docs/fleet.md", "A release", "sh")
    .trim()
    .split("\n")
    .map((line) => line.replace("npm run fleet -- ", "").split(" "));
  const schema = await fleet.schemaOf("t-004");
  await fleet.sql(`create table "${schema}".b (id int)`);
  const runs: [string | undefined, number, string][] = [];
  for (const args of commands) {
    if (args[0] === "resume") await fleet.sql(`drop table "${schema}".b`);
    const { code, stdout } = await fleet.run(...args);
    runs.push([args[0], code, stdout]);
  }
  const text = (words: RegExp) => expect.stringMatching(words) as string;
  expect(runs).toEqual([
    ["status", 0, text(/5 tenants, 5 behind: t-001/)],
    ["plan", 0, "5 tenants would get 2_more.sql\n\n-- 2_more.sql\ncreate table b (id int);\n"],
    ["migrate", 1, text(/^t-004 +migration 2_more\.sql failed .*already exists/m)],
    ["resume", 0, text(/succeeded\. 5 of 5/)],
    ["status", 0, text(/5 tenants, 0 behind\n$/)],
  ]);
});

test("a plan groups the tenants by what they would get, and changes nothing", async () => {
  await fleet.addTenants(1, { prefix: "old" });
  fleet.write("2_more.sql", "create table b (id int)");
  await fleet.addTenants(2, { prefix: "new" });
  fleet.write("3_most.sql", "create table c (id int)");
  const { stdout } = await fleet.run("plan", "--json");
  expect(JSON.parse(stdout)).toEqual({
    groups: [
      { tenants: 2, files: ["3_most.sql"], slugs: ["new-001", "new-002"] },
      { tenants: 1, files: ["2_more.sql", "3_most.sql"], slugs: ["old-001"] },
    ],
    statements: {
      "2_more.sql": "create table b (id int);",
      "3_most.sql": "create table c (id int);",
    },
    warnings: [],
  });
  expect(await fleet.sql("select from public.rollouts")).toEqual([]);
  expect(await fleet.applied("old-001")).toEqual(["1"]);
});

test("a plan warns of what locks or rewrites a table that is there, with its line, and of nothing else", async () => {
  await fleet.addTenants(1);
  fleet.write(
    "2_more.sql",
    "create table b (id int primary key);\ncreate index on b (id);\n\nalter table a add name text not null;\n" +
      "alter table a alter id type bigint;\ncreate index on a (id)",
  );
  const { stdout, code } = await fleet.run("plan", "--json");
  const { warnings } = JSON.parse(stdout) as { warnings: { line: number; rule: string }[] };
  expect(warnings.map(({ line, rule }) => `${line} ${rule}`)).toEqual([
    ...["5 adding-required-field", "6 changing-column-type", "7 require-concurrent-index-creation"],
  ]);
  expect(code).toBe(0);
  expect((await fleet.run("plan")).stdout).toMatch(
    /^Warnings, by squawk:\n2_more\.sql:5 adding-required-field: .*\n.*\n2_more\.sql:7 .*writes\.\n$/m,
  );
});

test("a file that runs in no transaction may make an index concurrently without a warning", async () => {
  await fleet.addTenants(1);
  fleet.write("2_more.sql", "create table b (id int);\ncreate index concurrently on a (id)");
  const rules = async () =>
    (
      JSON.parse((await fleet.run("plan", "--json")).stdout) as { warnings: { rule: string }[] }
    ).warnings.map(({ rule }) => rule);
  expect(await rules()).toEqual(["ban-concurrent-index-creation-in-transaction"]);
  fleet.writeWhole(
    "2_more.sql",
    "-- migrate:up transaction:false\ncreate table b (id int);\ncreate index concurrently on a (id);\n",
  );
  expect(await rules()).toEqual([]);
});
