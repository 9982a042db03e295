import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Client } from "pg";
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

async function apply(...tenants: object[]): Promise<string> {
  await project.configure([...tenants, bystander]);
  return project.run(...up);
}

/** Runs the commands of a block in docs/stacks.md. @returns what they print. */
async function runBlock(heading: string, change: (line: string) => string): Promise<string> {
  const lines = docBlock("docs/stacks.md", heading, "sh").trim().split("\n");
  const output: string[] = [];
  for (const line of lines) {
    const [command = "", ...args] = change(line.replace(/ +#.*/, ""))
      .split(/ (?=[^ ])/)
      .map((word) => word.replaceAll("'", ""));
    expect(command).toBe("pulumi");
    output.push(await project.run(...args));
  }
  return output.join("\n");
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

test("docs/stacks.md suspends and resumes a tenant as it says", async () => {
  const output = await runBlock("The life of a tenant", (line) => line);
  expect(output).toMatch(/status +: "active" => "suspended"/);
  expect(output).toMatch(/status +: "suspended" => "active"/);
  expect(await rows()).toMatchObject([{ slug: "acme", status: "active", marks: "" }]);
});

describe("a tenant that is deleted", () => {
  const acme = tenant("acme", { migrationsDir });
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
    await project.configure([{ ...acme, key: "acme", slug: "acme-two" }, other, bystander]);
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
    await project.configure([two, other, bystander]);
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

describe("the product's roles", () => {
  const acme = tenant("acme", { key: "acme-three", slug: "acme-three" });
  const role = `product ${randomBytes(4).toString("hex")}`;
  const login = `${role} login`;
  let superuser: Client;

  beforeAll(async () => {
    const { pathname } = new URL(project.env.DATABASE_URL ?? "");
    const url = new URL(process.env.TEST_POSTGRES_URL ?? "");
    superuser = new Client(Object.assign(url, { pathname }).href);
    await superuser.connect();
    const block = docBlock("docs/stacks.md", "The roles of the product", "sql");
    await superuser.query(
      block
        .replaceAll("role product", `role "${role}"`)
        .replaceAll("to product", `to "${role}"`)
        .replace("database app", `database ${pathname.slice(1)}`)
        .replace("…", "secret"),
    );
    await superuser.query(`create role "${login}" login password 'secret' in role "${role}"`);
  });
  afterAll(async () => {
    await superuser.query(`drop owned by "${role}", "${login}"`);
    await superuser.query(`drop role "${role}", "${login}"`);
    await superuser.end();
  });

  /** Declares the tenant, and the roles for the whole database. */
  async function configure(declared: object, ...roles: string[]): Promise<void> {
    await project.configure([declared, bystander]);
    for (const [index, name] of roles.entries()) {
      await project.run("config", "set", "--path", `database.productRoles[${index}]`, name);
    }
  }

  /** What the product gets when it reads a table of the tenant's. */
  async function read(): Promise<string> {
    const [found] = await rows();
    const url = new URL(project.env.DATABASE_URL ?? "");
    Object.assign(url, { username: encodeURIComponent(login), password: "secret" });
    const client = new Client(url.href);
    await client.connect();
    try {
      await client.query(`select from "tenant_${found?.id ?? ""}".routes`);
      return "read";
    } catch (error) {
      return (error as Error).message;
    } finally {
      await client.end();
    }
  }

  it("that are not there fail the preview, which names them", async () => {
    await configure(acme, role, "nobody");
    const { code, output } = await project.tryRun("preview");
    expect(code).not.toBe(0);
    expect(output).toContain("productRoles: role nobody does not exist: create it first");
  });

  it("may use a tenant from its set-up on, until it is suspended", async () => {
    await configure(acme);
    await runBlock("The roles of the product", (line) => line.replace(/product$/, role));
    expect(await read()).toBe("read");
    await project.run("preview", "--refresh", "--expect-no-changes");
    await configure({ ...acme, suspended: true }, role);
    expect(await project.run("preview", "--diff")).toMatch(/gate +: "open" => "closed"/);
    await project.run(...up);
    expect(await read()).toMatch(/permission denied/);
    await project.run("preview", "--refresh", "--expect-no-changes");
  });

  it("are shut out again where somebody let them in, and by leaving the tenant out", async () => {
    const [found] = await rows();
    const schema = `"tenant_${found?.id ?? ""}"`;
    await project.sql(`grant usage on schema ${schema} to "${role}"`);
    expect(await project.run("refresh", "--yes", "--skip-preview", "--diff")).toMatch(
      /gate +: "closed" => "open"/,
    );
    await project.run(...up);
    expect(await read()).toMatch(/permission denied/);
    await configure(acme, role);
    await project.run(...up);
    expect(await read()).toBe("read");
    await project.configure([bystander]);
    await project.run("config", "set", "--path", "database.productRoles[0]", role);
    await project.run(...up);
    expect(await read()).toMatch(/permission denied/);
  });

  it("that are named no more lose all their rights, which the preview shows", async () => {
    await project.configure([bystander]);
    expect(await project.run("preview", "--diff")).toContain(role);
    await project.run(...up);
    await project.run("preview", "--refresh", "--expect-no-changes");
    const [{ id } = { id: "" }] = await project.sql<{ id: string }>(
      "select id from tenants where slug = 'bystander'",
    );
    const left = await project.sql(
      "select where has_schema_privilege($1, $2::regnamespace::oid, 'usage') or has_table_privilege($1, $3, 'select')",
      [role, `"tenant_${id}"`, `"tenant_${id}".routes`],
    );
    expect(left).toEqual([]);
  });
});
