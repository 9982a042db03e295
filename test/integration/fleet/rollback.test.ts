import { Client } from "pg";
import { eventually } from "../../support/killable-service";
import { docBlock } from "../../support/docs";
import { useFleet } from "../../support/fleet";

const fleet = useFleet();
beforeEach(() => fleet.reset());

const twoMore = {
  "2_more.sql": "-- migrate:up\ncreate table b (id int);\n-- migrate:down\ndrop table b;\n",
  "3_most.sql":
    "-- migrate:up\nalter table b add name text;\n-- migrate:down\nalter table b drop name;\n",
};

/** Tenants with the files above, which are applied for real. */
async function addMigrated(count: number, files: Record<string, string> = twoMore) {
  const slugs = await fleet.addTenants(count);
  for (const [file, text] of Object.entries(files)) fleet.writeWhole(file, text);
  expect((await fleet.run("migrate")).code).toBe(0);
  return slugs;
}

const rollBack = (...args: string[]) => fleet.run("rollback", ...args);
const onRecord = async (slug: string) =>
  (
    await fleet.sql<{ file: string }>(
      "select file from public.tenant_migration_digests where schema_name = $1 order by 1",
      [await fleet.schemaOf(slug)],
    )
  ).map(({ file }) => file);
const tablesOf = async (slug: string) =>
  (
    await fleet.sql<{ name: string }>(
      "select relname as name from pg_class where relkind = 'r' and relnamespace = $1::regnamespace order by 1",
      [`"${await fleet.schemaOf(slug)}"`],
    )
  ).map(({ name }) => name);

test("what is newer is undone in the named tenants alone, the newest first, and can be applied again", async () => {
  await addMigrated(3);
  const { code, stdout } = await rollBack("--to", "1", "--only", "t-001,t-003", "--yes");
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringMatching(
      /^t-003: 3_most\.sql, 2_more\.sql undone\nWhoever migrates .* pulumi refresh before its next up\n$/m,
    ) as string,
  });
  expect(await Promise.all(["t-001", "t-002", "t-003"].map((slug) => fleet.applied(slug)))).toEqual(
    [["1"], ["1", "2", "3"], ["1"]],
  );
  expect(await tablesOf("t-001")).toEqual(["a", "schema_migrations"]);
  expect(await onRecord("t-001")).toEqual(["1_first.sql"]);
  expect((await fleet.run("status")).stdout).toMatch(/3 tenants, 2 behind: t-001, t-003\n/);
  expect((await fleet.run("migrate")).code).toBe(0);
  expect(await tablesOf("t-001")).toEqual(["a", "b", "schema_migrations"]);
});

test("the commands of docs/fleet.md show it first, and then do it", async () => {
  const undone = "-- migrate:up\ncreate table c (id int);\n-- migrate:down\ndrop table c;\n";
  const kept = "-- migrate:up\ncreate table b (id int);\n-- migrate:down\n";
  const files = { "20260101000006_kept.sql": kept, "20260701000001_undone.sql": undone };
  const [first, second] = await addMigrated(2, files);
  await fleet.sql("update public.tenants set slug = 'acme' where slug = $1", [first]);
  await fleet.sql("update public.tenants set slug = 'umbrella' where slug = $1", [second]);
  const commands = docBlock("docs/fleet.md", "Taking a migration back", "sh").trim().split("\n");
  for (const [index, line] of commands.entries()) {
    const { code } = await fleet.run(...line.replace("npm run fleet -- ", "").split(" "));
    expect(code).toBe(index === 0 ? 1 : 0);
    const versions = ["1", "20260101000006", ...(index === 0 ? ["20260701000001"] : [])];
    expect(await fleet.applied("umbrella")).toEqual(versions);
  }
});

test("a version in between stays, and a second run has nothing to undo", async () => {
  await addMigrated(1);
  const args = ["--to", "2", "--only", "t-001", "--yes", "--json"];
  const lines = (text: string) =>
    text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
  const first = await rollBack(...args);
  expect(lines(first.stdout)).toEqual([
    {
      event: "plan",
      tenants: [{ id: expect.any(String) as string, slug: "t-001", files: ["3_most.sql"] }],
      statements: { "3_most.sql": "alter table b drop name;" },
    },
    { event: "undone", slug: "t-001", files: ["3_most.sql"] },
    { event: "end", failures: [] },
  ]);
  expect(await fleet.applied("t-001")).toEqual(["1", "2"]);
  const second = await rollBack(...args);
  expect({ ...second, stdout: lines(second.stdout) }).toEqual({
    ...{ code: 0, stderr: "" },
    stdout: [{ event: "plan", tenants: [], statements: {} }],
  });
});

test("without --yes it shows what it would undo, with the statements, and undoes nothing", async () => {
  await addMigrated(1);
  const run = await rollBack("--to", "1", "--only", "t-001");
  expect(run).toEqual({
    code: 1,
    stdout:
      "t-001: 3_most.sql, 2_more.sql to be undone\n\n-- 3_most.sql\nalter table b drop name;\n\n" +
      "-- 2_more.sql\ndrop table b;\n\n",
    stderr: "nothing was undone: what these statements drop is gone for good. Add --yes to do it\n",
  });
  expect(await fleet.applied("t-001")).toEqual(["1", "2", "3"]);
  expect(await onRecord("t-001")).toHaveLength(3);
});

test.each([
  [["--to", "7", "--only", "t-001"], /--to takes the version .* no file in \S+ has the version 7/],
  [["--to", "1", "--only", "t-001,nobody"], /no tenant of service has the slug nobody/],
  [["--to", "1", "--only", ""], /--only names no slug/],
  [["--to", "1", "--only", ","], /--only names no slug/],
  [["--to", "1"], /rollback takes --to VERSION and --only/],
  [["--only", "t-001"], /rollback takes --to VERSION and --only/],
])("%j is refused, and nothing is undone", async (args, why) => {
  await addMigrated(1);
  const run = await rollBack(...args, "--yes");
  expect(run).toEqual({ code: 1, stdout: "", stderr: expect.stringMatching(why) as string });
  expect(await fleet.applied("t-001")).toEqual(["1", "2", "3"]);
});

test("a file that does not say how it is undone is refused before any other is touched", async () => {
  const silent = "-- migrate:up\ncreate table c (id int);\n-- migrate:down\n-- nobody can\n";
  await addMigrated(1, { ...twoMore, "4_last.sql": silent });
  const { code, stderr } = await rollBack("--to", "1", "--only", "t-001", "--yes");
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: "nothing stands after migrate:down, so it cannot be undone, in 4_last.sql\n",
  });
  expect(await fleet.applied("t-001")).toEqual(["1", "2", "3", "4"]);
});

test("an edited file is refused: what it says of its undoing is not of what was applied", async () => {
  await addMigrated(1);
  fleet.writeWhole("3_most.sql", `${twoMore["3_most.sql"]}-- edited\n`);
  const { code, stderr } = await rollBack("--to", "1", "--only", "t-001", "--yes");
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(/^3_most\.sql was edited .*\(t-001\)/) as string,
  });
});

test("beside a rollout that has not ended it is refused, and names it", async () => {
  await addMigrated(1);
  await fleet.sql("update public.rollouts set status = 'paused', finished_at = null");
  const { code, stderr } = await rollBack("--to", "1", "--only", "t-001", "--yes");
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(/^rollout \S+ has not ended: resume it, or cancel it/) as string,
  });
});

test("one that fails is named with PostgreSQL's message, keeps the file on record, and stops nobody", async () => {
  await addMigrated(2);
  await fleet.sql(
    `create view "${await fleet.schemaOf("t-001")}".v as select name from "${await fleet.schemaOf("t-001")}".b`,
  );
  const { code, stdout } = await rollBack("--to", "1", "--only", "t-001,t-002", "--yes");
  expect({ code, stdout }).toEqual({
    code: 1,
    stdout: expect.stringMatching(
      /^t-001 +3_most\.sql could not be undone .*view v depends on .*It is applied as before$/m,
    ) as string,
  });
  expect(await onRecord("t-001")).toEqual(["1_first.sql", "2_more.sql", "3_most.sql"]);
  expect(await fleet.applied("t-002")).toEqual(["1"]);
});

test.each(["rollback", "migrate"])(
  "killed in the middle of a file, the next %s finds it applied and goes on",
  async (next) => {
    await addMigrated(1);
    const schema = await fleet.schemaOf("t-001");
    const holder = new Client(fleet.url());
    await holder.connect();
    await holder.query(`begin; lock table "${schema}".b`);
    const args = ["rollback", "--to", "2", "--only", "t-001", "--yes"];
    const { child, ended } = fleet.start(...args, "--lock-timeout", "1m");
    await eventually(async () => {
      const waiting = await fleet.sql(
        "select from pg_stat_activity where wait_event = 'relation' and datname = current_database()",
      );
      return waiting.length > 0 || undefined;
    });
    child.kill("SIGKILL");
    await ended;
    expect(await onRecord("t-001")).toEqual(["1_first.sql", "2_more.sql"]);
    const again = fleet.start(...(next === "migrate" ? ["migrate"] : args));
    // The orphan's session waits for the table until the next run has ended it.
    await eventually(async () => {
      const waiting = await fleet.sql(
        `select from pg_stat_activity where wait_event = 'relation' and datname = current_database()
          and query like 'alter table b drop name%'`,
      );
      return waiting.length === 0 || undefined;
    });
    await holder.end();
    expect((await again.ended).code).toBe(0);
    const whole = next === "migrate" ? ["1", "2", "3"] : ["1", "2"];
    expect(await fleet.applied("t-001")).toEqual(whole);
    expect(await onRecord("t-001")).toHaveLength(whole.length);
  },
);
