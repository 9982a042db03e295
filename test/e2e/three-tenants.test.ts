import { readFileSync } from "node:fs";
import path from "node:path";
import { plaintextPassword, tenant, usePulumiProject } from "../support/pulumi";

const project = usePulumiProject("examples/three-tenants", [
  "Pulumi.yaml",
  "package.json",
  "index.js",
]);
const three = ["acme", "globex", "initech"].map((slug) => tenant(slug));

const tenants = () =>
  project.sql<{ id: string; slug: string; status: string }>(
    "select id, slug, status from tenants order by slug",
  );

describe("the example's life", () => {
  it("starts with a preview that needs no database", async () => {
    await project.configure(three);
    const { DATABASE_URL } = project.env;
    project.env.DATABASE_URL = "postgres://nobody:nothing@127.0.0.1:1/none";
    expect(await project.run("preview")).toContain("+ 23 to create");
    project.env.DATABASE_URL = "";
    expect(await project.run("preview")).toContain(
      "DATABASE_URL is not set: this preview cannot tell",
    );
    project.env.DATABASE_URL = DATABASE_URL;
  });

  it("sets up three tenants, each step after the one before it", async () => {
    const log = path.join(project.directory, "events.json");
    project.env.PULUMI_DEBUG_COMMANDS = "true"; // without it the CLI has no --event-log
    await project.run("up", "--yes", "--skip-preview", "--event-log", log);
    expect(await tenants()).toMatchObject([
      { slug: "acme", status: "active" },
      { slug: "globex", status: "active" },
      { slug: "initech", status: "active" },
    ]);
    for (const { slug } of await tenants()) {
      expect(stepsOf(slug, readFileSync(log, "utf8"))).toEqual([
        ...["Record", "AdminUser", "Schema", "Migrations", "Membership"],
      ]);
    }
  });

  it("gives each tenant its schema with its tables, and its admin", async () => {
    for (const { id, slug } of await tenants()) {
      const [{ tables } = { tables: "none" }] = await project.sql<{ tables: string }>(
        "select string_agg(tablename, ',' order by tablename) as tables from pg_tables where schemaname = $1",
        [`tenant_${id}`],
      );
      expect(tables).toBe(
        "activities,activity_results,commerces,dispatch_providers,operators,routes,schema_migrations",
      );
      const admins = await project.sql(
        "select u.email, m.role from tenant_users m join users u on u.id = m.user_id where tenant_id = $1",
        [id],
      );
      expect(admins).toEqual([{ email: `admin@${slug}.example`, role: "ADMIN" }]);
    }
  });

  it("tells the outputs of each tenant", async () => {
    const [acme] = await tenants();
    const outputs = JSON.parse(await project.run("stack", "output", "--json")) as {
      tenants: Record<string, object>;
    };
    expect(outputs.tenants.acme).toMatchObject({
      id: acme?.id,
      schemaName: `tenant_${acme?.id ?? ""}`,
      status: "active",
      migrationVersion: "20260101000006",
    });
  });

  it("shows no change right after", async () => {
    expect(await project.run("preview", "--expect-no-changes")).toContain("23 unchanged");
    expect(await project.run("refresh", "--yes", "--expect-no-changes")).toContain("23 unchanged");
  });

  it("takes a fourth tenant and leaves the others alone", async () => {
    const before = await tenants();
    await project.configure([...three, tenant("umbrella")]);
    expect(await project.run("up", "--yes", "--skip-preview")).toMatch(
      /\+ 6 created\s+23 unchanged/,
    );
    expect((await tenants()).slice(0, 3)).toEqual(before);
  });

  it("loses one, which is marked deleted and keeps its data", async () => {
    await project.configure([...three.slice(0, 2), tenant("umbrella")]);
    const output = await project.run("up", "--yes", "--skip-preview");
    const initech = (await tenants()).find(({ slug }) => slug === "initech");
    expect(initech?.status).toBe("deleted");
    expect(output).toContain(`Its data is kept in schema tenant_${initech?.id ?? ""}`);
    const schemas = await project.sql("select from pg_namespace where nspname like 'tenant\\_%'");
    expect(schemas).toHaveLength(4);
  });

  it("tells all that is wrong in the configuration by tenant and field, no password, and sets up what is sound", async () => {
    await project.configure([
      tenant("acme", { adminEmail: "nobody" }),
      tenant("globex", { plan: "gold", name: "Globex Inc" }),
      tenant("umbrella", { id: "7" }),
      tenant("acme"),
      tenant("hooli"),
    ]);
    const { code, output } = await project.tryRun("preview");
    expect(code).not.toBe(0);
    expect(output).toContain("tenant acme: adminEmail: must be an e-mail address");
    expect(output).toContain("tenant globex: plan: is not a known field");
    expect(output).toContain("tenant umbrella: id: must be a UUID");
    expect(output).toContain("tenants[3]: slug: acme is another tenant's already");
    expect(output).not.toContain(plaintextPassword);

    const before = await tenants();
    const run = await project.tryRun("up", "--yes", "--skip-preview", "--continue-on-error");
    expect(run.code).not.toBe(0);
    const after = await tenants();
    expect(after.find(({ slug }) => slug === "hooli")?.status).toBe("active");
    expect(after.filter(({ slug }) => slug !== "hooli")).toEqual(before);
    await project.configure([...three.slice(0, 2), tenant("umbrella"), tenant("hooli")]);
    await project.run("preview", "--expect-no-changes");
  });

  it("goes down and leaves nothing but data that is marked", async () => {
    await project.run("destroy", "--yes", "--skip-preview");
    expect((await tenants()).map(({ status }) => status)).toEqual(Array(5).fill("deleted"));
    await project.run("stack", "rm", "--yes");
  });
});

/** The types of a tenant's resources in the order in which the engine finished them. */
function stepsOf(slug: string, eventLog: string): string[] {
  interface Event {
    resOutputsEvent?: { metadata: { urn: string } };
  }
  return eventLog
    .trim()
    .split("\n")
    .flatMap((line) => (JSON.parse(line) as Event).resOutputsEvent?.metadata.urn ?? [])
    .filter((urn) => urn.endsWith(`::${slug}`) && urn.includes("$"))
    .map((urn) => /:(\w+)::[^:]+$/.exec(urn)?.[1] ?? urn);
}
