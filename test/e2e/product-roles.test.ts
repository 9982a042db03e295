import { randomBytes } from "node:crypto";
import { Client } from "pg";
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

describe("the product's roles", () => {
  const acme = tenant("acme");
  const role = `product_${randomBytes(4).toString("hex")}`;
  const login = `${role}_login`;
  let superuser: Client;

  beforeAll(async () => {
    await project.configure([bystander]);
    await project.run(...up);
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
    const [found] = await project.sql<{ id: string }>("select id from tenants where slug = 'acme'");
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
    await runDocCommands(
      project,
      docBlock("docs/stacks.md", "The roles of the product", "sh"),
      (line) => line.replace(/product$/, role),
    );
    expect(await read()).toBe("read");
    await project.run("preview", "--refresh", "--expect-no-changes");
    await configure({ ...acme, suspended: true }, role);
    expect(await project.run("preview", "--diff")).toMatch(/gate +: "open" => "closed"/);
    await project.run(...up);
    expect(await read()).toMatch(/permission denied/);
    await project.run("preview", "--refresh", "--expect-no-changes");
  });

  it("are shut out again where somebody let them in, and by leaving the tenant out", async () => {
    const [found] = await project.sql<{ id: string }>("select id from tenants where slug = 'acme'");
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
