import { writeFileSync } from "node:fs";
import path from "node:path";
import { Client } from "pg";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { plaintextPassword, tenant, usePulumiProject } from "../support/pulumi";

const project = usePulumiProject("examples/three-tenants", ["Pulumi.yaml", "package.json"]);

/** Writes the stack's program, in JavaScript: no type tells what is missing. */
const write = (program: string) => {
  writeFileSync(
    path.join(project.directory, "index.js"),
    `const pulumi = require("@pulumi/pulumi");
    const { Tenant, TenantDatabase } = require("pulumi-tenant");
    ${program}`,
  );
};

const migrationsDir = JSON.stringify(tenantMigrationsDir);

describe("a stack that says too little, or too much, of its database", () => {
  it.each([
    [
      `new TenantDatabase("database")`,
      'TenantDatabase database has no migrationsDir: write migrationsDir: "migrations"',
    ],
    [
      `new TenantDatabase("database", { migrationsDir: "" })`,
      "TenantDatabase database has no migrationsDir",
    ],
    [
      `new Tenant("acme", { name: "Acme Corp", slug: "acme" })`,
      'tenant acme has no database: write const database = new TenantDatabase("database", { migrationsDir',
    ],
    [
      `new TenantDatabase("database", { migrationsDir: "m", url: "postgres://hunter2", urlEnv: "HOME" })`,
      "TenantDatabase database has url and urlEnv: give url alone",
    ],
    [
      `new TenantDatabase("database", { migrationsDir: "m", url: "postgres://h/hunter2" })`,
      "url names no user",
    ],
    [
      `new TenantDatabase("database", { migrationsDir: "m", urlEnv: "postgres://me:hunter2@h/db" })`,
      "urlEnv must be the name of the environment variable",
    ],
  ])("is refused, and told what to write: %s", async (program, words) => {
    write(program);
    const { code, output } = await project.tryRun("preview");
    expect(code).not.toBe(0);
    expect(output).toContain(words);
    expect(output).not.toContain("hunter2");
  });
});

describe("a database that is made in the same stack", () => {
  const [first, second] = ["the-first-of-two-passwords", "the-second-of-two-passwords"];
  const name = `made_in_stack_${process.pid}`;
  let said = "";
  const run = async (...args: string[]) => {
    const output = await project.run(...args);
    said += output;
    return output;
  };
  const sql = async (statement: string) => {
    const url = new URL(process.env.TEST_POSTGRES_URL ?? "");
    const client = new Client(Object.assign(url, { pathname: `/${name}` }).href);
    await client.connect();
    return (await client.query<Record<string, unknown>>(statement).finally(() => client.end()))
      .rows;
  };
  const rows = () =>
    sql(`select slug, status, t.updated_at, u.updated_at as admin,
        password_hash is not null as has_password
      from tenants t join users u on u.id = admin_user_id order by slug`);

  beforeAll(() => {
    project.env.DATABASE_URL = undefined;
    project.env.ADMIN_URL = process.env.TEST_POSTGRES_URL;
    write(`
      const run = async (statements) => {
        const client = new (require("pg").Client)(process.env.ADMIN_URL);
        await client.connect();
        for (const statement of statements) await client.query(statement);
        await client.end();
      };
      const made = {
        async create({ name, password }) {
          await run([
            \`create role \${name} login password '\${password}'\`,
            \`create database \${name} owner \${name}\`,
          ]);
          return { id: name, outs: { name, password, address: new URL(process.env.ADMIN_URL).host } };
        },
        async update(id, olds, { name, password }) {
          await run([\`alter role \${name} password '\${password}'\`]);
          return { outs: { ...olds, name, password } };
        },
        delete: (name) => run([\`drop database \${name} with (force)\`, \`drop role \${name}\`]),
      };
      class Made extends pulumi.dynamic.Resource {
        constructor(name, props) {
          super(made, name, { ...props, address: undefined });
        }
      }
      const config = new pulumi.Config();
      const password = config.requireSecret("password");
      const server = new Made("server", { name: ${JSON.stringify(name)}, password });
      const url = pulumi.interpolate\`postgres://\${server.id}:\${server.password}@\${server.address}/\${server.id}\`;
      const database = new TenantDatabase("database", { migrationsDir: ${migrationsDir}, url });
      const acme = ${JSON.stringify(tenant("acme"))};
      const adminPassword = ${JSON.stringify(plaintextPassword)};
      new Tenant("acme", { ...acme, adminPassword, database });
      new Tenant("globex", { ...${JSON.stringify(tenant("globex"))}, database });`);
  });

  it("can be previewed before it is there, and the preview says what it cannot tell", async () => {
    await project.run("config", "set", "--secret", "password", first);
    const output = await run("preview", "--diff");
    expect(output).toContain(
      "url is known only once the resources that it comes from are applied: this preview cannot",
    );
    expect(output).toMatch(/\+ 18 to create/);
  });

  it("gets its tenants, one admin without a password, and the next preview shows no change", async () => {
    await run("up", "--yes");
    expect(await rows()).toMatchObject([
      { slug: "acme", status: "active", has_password: true },
      { slug: "globex", status: "active", has_password: false },
    ]);
    expect(await run("preview", "--expect-no-changes")).toMatch(/18 unchanged/);
    await run("refresh", "--yes", "--expect-no-changes");
  });

  it("is in the state encrypted only", async () => {
    const sealed = await project.run("stack", "export");
    expect(sealed).not.toContain("postgres://");
    expect(sealed).not.toContain(first);
    const open = await project.run("stack", "export", "--show-secrets");
    expect(open).toContain(`postgres://${name}:${first}@`);
  });

  it("takes another password without a change to the tenant", async () => {
    const before = await rows();
    await project.run("config", "set", "--secret", "password", second);
    // The server's update may give it another address, so the preview cannot know the URL.
    const preview = await run("preview", "--diff");
    expect(preview).toContain(
      "url is known only once the resources that it comes from are applied: this preview cannot",
    );
    expect(preview).not.toMatch(/to (delete|replace|create)/);
    expect(await run("up", "--yes", "--skip-preview")).toMatch(/~ 3 updated\s+15 unchanged/);
    expect(await rows()).toEqual(before);
    await run("preview", "--expect-no-changes");
  });

  it("goes with the stack, which reaches it by what the state holds", async () => {
    await run("destroy", "--yes", "--skip-preview");
    await expect(sql("select")).rejects.toThrow(`database "${name}" does not exist`);
  });

  it("has told no password to anybody", () => {
    expect(said).toContain("database");
    for (const password of [first, second]) expect(said).not.toContain(password);
  });
});
