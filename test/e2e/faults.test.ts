import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { plaintextPassword, usePulumiProject } from "../support/pulumi";

const project = usePulumiProject("examples/three-tenants", ["Pulumi.yaml", "package.json"]);
const up = ["up", "--yes", "--skip-preview"];
const count = 30;

/**
 * Writes a program of thirty tenants, `t1` to `t30`.
 *
 * @param args The source of arguments of each; `i` is its number.
 * @param changes The source of other arguments of some, by name. Those of `undefined` are left out.
 */
function writeProgram(args: string, changes: Record<string, string | undefined> = {}): void {
  const changed = Object.entries(changes).map(
    ([name, more]) => `${name}: ${more === undefined ? "undefined" : `{ ${more} }`}`,
  );
  writeFileSync(
    path.join(project.directory, "index.js"),
    `const pulumi = require("@pulumi/pulumi");
    const { Tenant, TenantDatabase } = require("pulumi-tenant");
    const databaseOf = (migrationsDir) => new TenantDatabase(migrationsDir, { migrationsDir });
    const database = databaseOf("migrations");
    // The migrations are the database's, so those whose files are at fault have a declaration of their own.
    const databases = { t17: databaseOf("edited"), t30: databaseOf("gone") };
    const changes = { ${changed.join(", ")} };
    for (let i = 1; i <= ${count}; i++) {
      if ("t" + i in changes && changes["t" + i] === undefined) continue;
      new Tenant("t" + i, {
        slug: "tenant-" + i,
        adminEmail: "admin@t" + i + ".example",
        adminPassword: pulumi.secret("${plaintextPassword}"),
        adminFirstName: "Ana",
        adminLastName: "Diaz",
        database: databases["t" + i] ?? database,
        ${args},
        ...changes["t" + i],
      });
    }`,
  );
}

function writeMigrations(folder: string, files: Record<string, string>): void {
  mkdirSync(path.join(project.directory, folder), { recursive: true });
  for (const [file, sql] of Object.entries(files)) {
    const text = `-- migrate:up\n${sql};\n-- migrate:down\n`;
    writeFileSync(path.join(project.directory, folder, file), text);
  }
}

const folders = ["migrations", "edited", "gone"];
const first = { "1_a.sql": "create table a (id int)" };
const second = { "2_b.sql": "create table b (id int)" };

const tenants = () =>
  project.sql<{ id: string; slug: string; name: string; status: string }>(
    "select id, slug, name, status from tenants order by split_part(slug, '-', 2)::int",
  );
const tables = async (table: string) =>
  (await project.sql("select from pg_tables where tablename = $1", [table])).length;

const faulty = {
  t3: `slug: "Bad Slug"`,
  t7: `adminEmail: "nobody", adminFirstName: ""`,
  t12: `adminPassword: pulumi.secret(Promise.resolve("hunter2"))`,
  t17: "", // Its applied file was edited.
  t18: `adminEmail: pulumi.output(Promise.resolve("eve@t18.example"))`,
  t21: `id: "21"`,
  t25: `slug: "tenant-24"`,
  t30: "", // Its folder is not there any more.
};
const faults = [
  "tenant t3: slug: must be of a-z and 0-9, with single hyphens inside",
  "tenant t7: adminEmail: must be an e-mail address",
  "tenant t7: adminFirstName: must not be empty",
  "tenant t12: adminPassword: must have at least 8 characters",
  "tenant t17: migrationsDir: 1_a.sql was edited after it was applied",
  "tenant t18: adminEmail: cannot change from admin@t18.example",
  "tenant t21: id: must be a UUID",
  "tenant t25: slug: is tenant t24's already",
  "tenant t30: migrationsDir: the migrations' folder",
];
/** The lines at the end of the CLI's output, where it prints all errors once more. */
const diagnostics = (output: string) =>
  (output.split("Diagnostics:\n")[1] ?? "")
    .split("\n")
    .map((line) => line.replace("error: ", "").trim());

describe("thirty tenants in a program, eight of them at fault,", () => {
  beforeAll(async () => {
    for (const folder of folders) writeMigrations(folder, first);
    writeProgram(`name: "Tenant " + i`);
    await project.run(...up);
    expect((await tenants()).map(({ status }) => status)).toEqual(Array(count).fill("active"));
    writeMigrations("migrations", second);
    writeMigrations("edited", { "1_a.sql": "create table a (id bigint)" });
    rmSync(path.join(project.directory, "gone"), { recursive: true });
    const withoutOne = { ...faulty, t29: undefined };
    writeProgram(`name: "Renamed " + i`, withoutOne);
  });

  it("are all reported by one preview, by the author's own names, each fault once, and no password", async () => {
    const { code, output } = await project.tryRun("preview");
    expect(code).not.toBe(0);
    const told = diagnostics(output).filter((line) => /^tenant t\d+: /.test(line));
    const known = (line: string) => faults.find((fault) => line.startsWith(fault)) ?? line;
    expect(told.map(known).sort()).toEqual([...faults].sort());
    expect(output).not.toContain("hunter2");
    expect(output).not.toContain(plaintextPassword);
  });

  it("stay as they are, while the sound ones go ahead with --continue-on-error, and none is ended", async () => {
    const before = await tenants();
    const { code, output } = await project.tryRun(...up, "--continue-on-error");
    expect(code).not.toBe(0);
    for (const name of Object.keys(faulty)) {
      expect(output).toMatch(
        new RegExp(`tenant ${name}: |(AdminUser|Migrations) \\(${name}\\):\\s+error: `),
      );
    }
    expect(output).not.toContain("hunter2");
    const isKept = (index: number) => index + 1 === 29 || `t${index + 1}` in faulty;
    const partly = ["t17", "t18", "t30"]; // Their names are sound: it is a later step that is at fault.
    expect(await tenants()).toEqual(
      before.map((row, index) =>
        isKept(index) && !partly.includes(`t${index + 1}`)
          ? row
          : { ...row, name: `Renamed ${index + 1}` },
      ),
    );
    expect(await tables("b")).toBe(count - Object.keys(faulty).length - 1);
  });

  it("are mended by another run, and nothing was lost", async () => {
    const before = await tenants();
    for (const folder of folders) writeMigrations(folder, { ...first, ...second });
    writeProgram(`name: "Renamed " + i`);
    await project.run(...up);
    expect((await tenants()).map(({ id, status }) => [id, status])).toEqual(
      before.map(({ id }) => [id, "active"]),
    );
    expect(await tables("b")).toBe(count);
    await project.run("preview", "--expect-no-changes");
  });
});

describe("a slug that another owner has", () => {
  const change = {
    t1: `slug: "taken"`,
    t2: `slug: "freed"`,
    t3: `slug: "tenant-4"`,
    t4: `slug: "tenant-4-b"`,
  };
  const told = async () => {
    const { code, output } = await project.tryRun("preview");
    return {
      code,
      output,
      taken: diagnostics(output).filter((line) => /^tenant t\d+: /.test(line)),
    };
  };

  beforeAll(async () => {
    await project.sql(
      `insert into tenants (name, slug, owner, status) values
        ('Taken', 'taken', 'elsewhere/shop/dev::taken', 'provisioning'),
        ('Freed', 'freed', 'elsewhere/shop/dev::freed', 'deleted')`,
    );
    writeProgram(`name: "Renamed " + i`, change);
  });

  it("is told in the preview, by tenant and owner; one that is free, or given up in the same program, is not", async () => {
    const { code, taken } = await told();
    expect(code).not.toBe(0);
    expect(taken).toEqual([
      expect.stringMatching(
        /^tenant t1: slug: slug taken is taken, by tenant taken .* of elsewhere\/shop\/dev::taken/,
      ),
    ]);
  });

  it("is not told where there is no database, whose preview works, with the one warning", async () => {
    const { DATABASE_URL } = project.env;
    project.env.DATABASE_URL = "postgres://nobody:nothing@127.0.0.1:1/none";
    const { code, output, taken } = await told();
    project.env.DATABASE_URL = DATABASE_URL;
    expect({ code, taken }).toEqual({ code: 0, taken: [] });
    const warnings = diagnostics(output).filter((line) =>
      /^warning: (?!using pulumi-resource)/.test(line),
    );
    // One for each of the program's databases.
    expect(warnings).toEqual(
      Array(folders.length).fill(expect.stringContaining("of DATABASE_URL does not answer")),
    );
  });
});
