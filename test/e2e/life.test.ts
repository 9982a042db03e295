import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { runDocCommands } from "../support/doc-commands";
import { docBlock } from "../support/docs";
import { tenant, usePulumiProject } from "../support/pulumi";

const project = usePulumiProject("examples/three-tenants", [
  "Pulumi.yaml",
  "package.json",
  "index.js",
]);

const up = ["up", "--yes", "--skip-preview"];
const bystander = tenant("bystander");
const migrationsDir = "migrations";
const write = (file: string, sql: string) => {
  mkdirSync(path.join(project.directory, migrationsDir), { recursive: true });
  const text = `-- migrate:up\n${sql};\n-- migrate:down\n`;
  writeFileSync(path.join(project.directory, migrationsDir, file), text);
};

const acme = tenant("acme");

beforeAll(() => {
  write("1_a.sql", "create table a (id int)");
});

async function apply(...tenants: object[]): Promise<string> {
  await project.configure([...tenants, bystander], migrationsDir);
  return project.run(...up);
}

/** The tenants that are there, by slug and status, with the times of what became of them. */
const rows = () =>
  project.sql<{ id: string; slug: string; status: string; marks: string }>(
    `select id, slug, status, concat_ws(' ', case when suspended_at is not null then 'suspended' end,
      case when deleted_at is not null then 'deleted' end) as marks
    from tenants where slug <> 'bystander' order by slug, created_at`,
  );

afterEach(async () => {
  const others = await project.sql(
    `select status, suspended_at, deleted_at from tenants where slug = 'bystander'`,
  );
  expect(others).toEqual([{ status: "active", suspended_at: null, deleted_at: null }]);
});

describe("a tenant that is suspended", () => {
  const suspended = { ...acme, suspended: true };

  beforeAll(() => apply(acme));

  it("is so by a change in place, which the preview shows", async () => {
    await project.configure([suspended, bystander], migrationsDir);
    const preview = await project.run("preview", "--diff");
    expect(preview).toMatch(/status +: "active" => "suspended"/);
    expect(preview).toMatch(/~ 2 to update\s+\d+ unchanged/);
    await project.run(...up);
    expect(await rows()).toMatchObject([{ slug: "acme", status: "suspended", marks: "suspended" }]);
    await project.run("preview", "--refresh", "--expect-no-changes");
  });

  it("stays so by a change of something else", async () => {
    await apply({ ...suspended, name: "Acme Ltd" });
    expect(await rows()).toMatchObject([{ status: "suspended", marks: "suspended" }]);
    await apply(suspended);
  });

  it("is suspended again where somebody has changed that", async () => {
    await project.sql("update tenants set status = 'active' where slug = 'acme'");
    expect(await project.run("refresh", "--yes", "--skip-preview", "--diff")).toMatch(
      /status +: "suspended" => "active"/,
    );
    await project.run(...up);
    expect(await rows()).toMatchObject([{ status: "suspended" }]);
  });

  it("is suspended at once, though a migration of the same run fails", async () => {
    await apply(acme);
    write("2_b.sql", "create table b (id nonsense)");
    await project.configure([suspended, bystander], migrationsDir);
    const { code, output } = await project.tryRun(...up);
    expect(code).not.toBe(0);
    expect(output).toContain("migration 2_b.sql failed");
    expect(await rows()).toMatchObject([{ status: "suspended", marks: "suspended" }]);
    rmSync(path.join(project.directory, migrationsDir, "2_b.sql"));
    await project.run(...up);
  });

  it("is active again once that is taken out", async () => {
    await apply(acme);
    expect(await rows()).toMatchObject([{ status: "active", marks: "" }]);
    await project.run("preview", "--refresh", "--expect-no-changes");
  });
});

test("docs/stacks.md suspends and resumes a tenant as it says", async () => {
  await apply(acme);
  const output = await runDocCommands(
    project,
    docBlock("docs/stacks.md", "The life of a tenant", "sh"),
  );
  expect(output).toMatch(/status +: "active" => "suspended"/);
  expect(output).toMatch(/status +: "suspended" => "active"/);
  expect(await rows()).toMatchObject([{ slug: "acme", status: "active", marks: "" }]);
});

describe("a tenant that is deleted", () => {
  const deleted = { ...acme, deleted: true };
  const other = tenant("other", { slug: "acme", key: "other" });
  const statuses = async () => (await rows()).map(({ slug, status }) => `${slug} ${status}`);
  let id: string;

  beforeAll(async () => {
    await apply(acme);
    [{ id } = { id: "" }] = await rows();
  });

  it.each([
    ["is left out", [], [acme]],
    ["is declared deleted", [deleted], [acme]],
  ])("because it %s keeps its data, and is restored", async (_how, without, again) => {
    await project.sql(`insert into "tenant_${id}".a values (7)`);
    await apply(...without);
    expect(await rows()).toEqual([{ id, slug: "acme", status: "deleted", marks: "deleted" }]);
    await project.run("preview", "--refresh", "--expect-no-changes");
    await apply(...again);
    expect(await rows()).toEqual([{ id, slug: "acme", status: "active", marks: "" }]);
    expect(await project.sql(`delete from "tenant_${id}".a returning id`)).toEqual([{ id: 7 }]);
    await project.run("preview", "--refresh", "--expect-no-changes");
  });

  it("is suspended again where it was", async () => {
    await apply({ ...deleted, suspended: true });
    await apply({ ...acme, suspended: true });
    expect(await rows()).toMatchObject([{ status: "suspended", marks: "suspended" }]);
    await apply(acme);
  });

  it("leaves its slug to another, and gets another slug", async () => {
    await apply(deleted);
    await apply({ ...deleted, key: "acme" }, other);
    expect(await statuses()).toEqual(["acme deleted", "acme active"]);
    await project.configure(
      [{ ...acme, key: "acme", slug: "acme-two" }, other, bystander],
      migrationsDir,
    );
    await project.run(...up);
    expect(await rows()).toMatchObject([
      { slug: "acme", status: "active" },
      { id, slug: "acme-two", status: "active", marks: "" },
    ]);
    await project.run("preview", "--refresh", "--expect-no-changes");
  });

  it("is not restored to a slug that another has, whom the error names", async () => {
    const two = { ...acme, key: "acme", slug: "acme-two" };
    await apply({ ...two, deleted: true }, other);
    await project.sql(
      "insert into tenants (name, slug, owner) values ('Holder', 'acme-two', 'o/p/other::x')",
    );
    await project.configure([two, other, bystander], migrationsDir);
    const { code, output } = await project.tryRun(...up);
    expect(code).not.toBe(0);
    expect(output).toMatch(
      /slug acme-two is taken, by tenant acme-two \(id .*\) of o\/p\/other::x: choose another slug/,
    );
    expect(await statuses()).toEqual([
      ...["acme active", "acme-two deleted", "acme-two provisioning"],
    ]);
    await project.sql("delete from tenants where owner = 'o/p/other::x'");
    await project.run(...up);
    expect(await statuses()).toEqual(["acme active", "acme-two active"]);
  });

  it("is gone with all it has once forceDestroy is applied and it is left out", async () => {
    await apply(
      { ...acme, key: "acme", slug: "acme-two", deleted: true, forceDestroy: true },
      other,
    );
    await apply(other);
    expect(await statuses()).toEqual(["acme active"]);
    await apply({ ...other, forceDestroy: true });
    await apply();
    expect(
      await project.sql("select from pg_namespace where nspname = $1", [`tenant_${id}`]),
    ).toEqual([]);
  });
});

describe("a tenant that another has taken since", () => {
  it("is not ended by the stack that had it, which the preview says, and whose state forgets it", async () => {
    await apply({ ...acme, forceDestroy: true });
    const [{ id } = { id: "" }] = await rows();
    await project.sql(`insert into "tenant_${id}".a values (7)`);
    await project.sql("update tenants set owner = 'o/p/other::acme' where id = $1", [id]);
    await project.configure([bystander], migrationsDir);
    const refusal = `tenant acme (id ${id}) is o/p/other::acme's now, and no more `;
    const preview = await project.run("preview");
    expect(preview).toContain(`its end will be refused: ${refusal}`);
    expect(preview).not.toContain("DROPS");
    const { code, output } = await project.tryRun(...up);
    expect(code).not.toBe(0);
    expect(output).toContain(refusal);
    expect(await rows()).toMatchObject([{ id, slug: "acme", status: "active" }]);
    expect(await project.sql(`select id from "tenant_${id}".a`)).toEqual([{ id: 7 }]);

    const [, advice = ""] = /state alone: pulumi (.*?'.*?')/.exec(output) ?? [];
    await project.run(...advice.trim().replaceAll("'", "").split(" "));
    await project.run("preview", "--refresh", "--expect-no-changes");
    expect(await rows()).toMatchObject([{ id, slug: "acme", status: "active" }]);
  });
});
