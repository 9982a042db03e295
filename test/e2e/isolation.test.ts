import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { tenant, usePulumiProject } from "../support/pulumi";
import { postSetUp, send, tenantBody } from "../support/service-client";
import { useServiceDatabase } from "../support/service-database";
import {
  cleanUpServices,
  serviceEnvironment,
  startService,
  temporaryFolder,
} from "../support/service-process";
import { signed } from "../support/service-tokens";

type Sql = <T extends object>(statement: string) => Promise<T[]>;

/** The owners of each tenant's schema and tables: by the tenant's slug, and only how the owner is called. */
async function ownersOf(sql: Sql): Promise<Record<string, string[]>> {
  const rows = await sql<{ slug: string; owners: string[] }>(
    `select slug, (select array_agg(distinct case pg_get_userbyid(relowner)
        when nspname || '_' || d.oid then 'own role' when current_user then 'connected role' end)
      from pg_class c join pg_namespace n on n.oid = relnamespace
      where nspname = 'tenant_' || t.id and nspowner = relowner) as owners
    from public.tenants t, pg_database d where datname = current_database() order by slug`,
  );
  return Object.fromEntries(rows.map(({ slug, owners }) => [slug, owners]));
}

const rolesOf = (sql: Sql) =>
  sql(
    `select from pg_roles, pg_database d
    where datname = current_database() and rolname ~ ('^tenant_.*_' || d.oid || '$')`,
  );

/** A migration that reads the control tables. */
const hostile =
  "-- migrate:up\ncreate table stolen as select password_hash from public.users;\n-- migrate:down\n";

describe("in a stack", () => {
  const project = usePulumiProject(
    "examples/three-tenants",
    ["Pulumi.yaml", "package.json", "index.js"],
    { tenantRoles: true },
  );
  const up = ["up", "--yes", "--skip-preview"];
  const declare = async (isolate: boolean, changes: object = {}) => {
    const declared = ["acme", "globex"].map((slug) => ({ ...tenant(slug), ...changes }));
    await project.configure(declared);
    await project.run("config", "set", "--path", "database.isolateMigrations", String(isolate));
  };

  it("existing tenants are switched over in place, and a refresh finds nothing else", async () => {
    await declare(false);
    await project.run(...up);
    expect(await ownersOf((statement) => project.sql(statement))).toEqual({
      acme: ["connected role"],
      globex: ["connected role"],
    });
    await declare(true);
    expect(await project.run("preview", "--diff")).toContain("isolateMigrations: true");
    await project.run(...up);
    expect(await ownersOf((statement) => project.sql(statement))).toEqual({
      acme: ["own role"],
      globex: ["own role"],
    });
    await project.run("refresh", "--yes", "--expect-no-changes");
    await project.run("preview", "--expect-no-changes");
  });

  it("a schema that was given to somebody else is drift, which the next up repairs", async () => {
    const [row] = await project.sql<{ id: string }>("select id from tenants where slug = 'acme'");
    await project.sql(`alter schema "tenant_${row?.id ?? ""}" owner to current_user`);
    expect(await project.run("refresh", "--yes", "--skip-preview")).toMatch(
      /~ +pulumi-nodejs:dynamic\/tenant:Migrations acme/,
    );
    await project.run(...up);
    expect(await ownersOf((statement) => project.sql(statement))).toEqual({
      acme: ["own role"],
      globex: ["own role"],
    });
  });

  it("a hostile migration fails", async () => {
    const migrationsDir = path.join(project.directory, "hostile");
    cpSync(tenantMigrationsDir, migrationsDir, { recursive: true });
    writeFileSync(path.join(migrationsDir, "20270101000001_steal.sql"), hostile);
    await project.configure(
      ["acme", "globex", "initech"].map((slug) => tenant(slug)),
      migrationsDir,
    );
    await project.run("config", "set", "--path", "database.isolateMigrations", "true");
    // Without the option, whether initech's schema gets as far as its role depends on who fails first.
    const { code, output } = await project.tryRun(...up, "--continue-on-error");
    expect(code).not.toBe(0);
    expect(output).toContain("permission denied for schema public");
    expect(await rolesOf((statement) => project.sql(statement))).toHaveLength(3);
  });

  it("no password is in the state", async () => {
    const state = await project.run("stack", "export", "--show-secrets");
    // The connection's own is; no tenant's role is in it, but as the owner of its schema.
    expect(state.replaceAll(/"owner": "tenant_[^"]+"/g, "")).not.toMatch(
      /tenant_[0-9a-f-]{36}_\d+/,
    );
  });

  it("without it they are given back, and no role is left", async () => {
    await declare(false);
    await project.run(...up);
    expect(await ownersOf((statement) => project.sql(statement))).toMatchObject({
      acme: ["connected role"],
      globex: ["connected role"],
    });
    await project.run("refresh", "--yes");
    await project.run("preview", "--expect-no-changes");
    await declare(true, { forceDestroy: true });
    await project.run(...up);
    expect(await rolesOf((statement) => project.sql(statement))).toHaveLength(3);
  });

  it("a destroy drops the roles, but of a tenant whose data is kept", async () => {
    await project.run("destroy", "--yes");
    expect(await rolesOf((statement) => project.sql(statement))).toHaveLength(1);
  });
});

describe("in a stack whose role may make no roles", () => {
  const project = usePulumiProject("examples/three-tenants", [
    ...["Pulumi.yaml", "package.json", "index.js"],
  ]);

  test.each([["preview"], ["up"]])("%s says so before anything is made", async (command) => {
    await project.configure([tenant("acme")]);
    await project.run("config", "set", "--path", "database.isolateMigrations", "true");
    const yes = command === "up" ? ["--yes", "--skip-preview"] : [];
    const { code, output } = await project.tryRun(command, ...yes);
    expect(code).not.toBe(0);
    expect(output).toContain("needs CREATEROLE (alter role");
    expect(await project.sql("select from pg_tables where schemaname = 'public'")).toEqual([]);
  });
});

describe("in the service", () => {
  const database = useServiceDatabase({ migrated: false, tenantRoles: true });
  let env: Record<string, string>;
  let migrations: string;
  beforeAll(() => {
    migrations = temporaryFolder("isolation-migrations-");
    writeFileSync(
      path.join(migrations, "1_a.sql"),
      "-- migrate:up\ncreate table a (id int);\n-- migrate:down\n",
    );
    env = {
      ...serviceEnvironment(database.url()),
      ...{ TENANT_ROLES: "true", TENANT_MIGRATIONS_DIR: migrations, SETUP_WAIT: "120" },
    };
  });
  afterAll(cleanUpServices);

  it("a start without the right to make roles ends with one line, before anything is made", async () => {
    await database.asSuperuser(`alter role ${new URL(database.url()).username} nocreaterole`);
    const service = startService(env);
    expect(await service.ended).toBe(1);
    expect(service.output()).toContain("needs CREATEROLE (alter role");
    expect(await database.sql("select from pg_tables where schemaname = 'public'")).toEqual([]);
    await database.asSuperuser(`alter role ${new URL(database.url()).username} createrole`);
  });

  it("two set-ups at once get a role each; what a hostile migration wants is refused", async () => {
    const token = await signed({
      expiresIn: 3_600,
      claims: { permissions: ["CREATE_TENANT", "UPDATE_TENANT"] },
    });
    const service = startService(env);
    const base = await service.url;
    const setUp = (slug: string) =>
      postSetUp(base, token, tenantBody({ slug, adminEmail: `ana@${slug}.example` }));
    const answers = await Promise.all([setUp("acme"), setUp("globex")]);
    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
    expect(await ownersOf((statement) => database.sql(statement))).toEqual({
      acme: ["own role"],
      globex: ["own role"],
    });

    const changed = await send(`${base}/api/tenant/${answers[0].body.id ?? ""}`, {
      ...{ method: "PATCH", token, body: { name: "Acme Two" } },
    });
    expect(changed.status).toBe(200);

    writeFileSync(path.join(migrations, "2_steal.sql"), hostile);
    expect(await setUp("initech")).toMatchObject({ status: 500 });
    expect(service.output()).toContain("permission denied for schema public");
    expect(service.output()).not.toContain("SCRAM-SHA-256");
    const states = readdirSync(env.state ?? "", { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".json"))
      .map((file) => readFileSync(path.join(env.state ?? "", file), "utf8"));
    expect(states.length).toBeGreaterThan(0);
    for (const state of states) expect(state).not.toContain("SCRAM-SHA-256");
  });
});
