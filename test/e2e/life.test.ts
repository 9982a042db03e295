import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
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

async function apply(...tenants: object[]): Promise<string> {
  await project.configure([...tenants, bystander]);
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
  const acme = tenant("acme", { migrationsDir });
  const suspended = { ...acme, suspended: true };

  beforeAll(async () => {
    write("1_a.sql", "create table a (id int)");
    await apply(acme);
  });

  it("is so by a change in place, which the preview shows", async () => {
    await project.configure([suspended, bystander]);
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
    await project.configure([suspended, bystander]);
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
