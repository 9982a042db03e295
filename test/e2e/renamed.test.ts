import { writeFileSync } from "node:fs";
import path from "node:path";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { usePulumiProject } from "../support/pulumi";

const project = usePulumiProject("examples/three-tenants", ["Pulumi.yaml", "package.json"]);

/** Runs `pulumi up` on a program that declares this tenant and a bystander. */
const up = (slug: string, tenant: string) => {
  writeFileSync(
    path.join(project.directory, "index.js"),
    `const pulumi = require("@pulumi/pulumi");
    const { Tenant, TenantDatabase } = require("pulumi-tenant");
    const migrationsDir = ${JSON.stringify(tenantMigrationsDir)};
    const database = new TenantDatabase("database", { migrationsDir });
    class Customer extends pulumi.ComponentResource {
      constructor(name, opts) { super("shop:index:Customer", name, {}, opts); }
    }
    class Client extends pulumi.ComponentResource {
      constructor(name, opts) { super("shop:index:Client", name, {}, opts); }
    }
    const args = (slug) => ({
      ...{ name: slug, slug, adminEmail: \`admin@\${slug}.example\`, database },
      ...{ adminPassword: "correct-horse-battery-staple", adminFirstName: "Ana", adminLastName: "Diaz" },
    });
    new Tenant("globex", args("globex"));
    const slug = ${JSON.stringify(slug)};
    ${tenant}`,
  );
  return project.tryRun("up", "--yes", "--skip-preview");
};

/** Each tenant, and what is there of its steps. */
const rows = () =>
  project.sql(
    `select id, slug, status, admin_user_id,
      (select count(*) from tenant_users where tenant_id = t.id) as members,
      (select count(*) from pg_tables where schemaname = 'tenant_' || t.id) as tables
    from tenants t order by slug`,
  );

let count = 0;

/** The option, and the command for a protected tenant, in the words of the message. */
const advice =
  /give it the option (aliases: \[".*?"\]); with protect: true, run first: pulumi (.*?) '(.*?)'/;

const tenant = (options: string) => `new Tenant(slug, args(slug), { ${options} });`;
const renamed = (options: string) => `new Tenant(slug + "-ltd", args(slug), { ${options} });`;
const moved = (options: string) => tenant(`parent: new Customer(slug), ${options}`);
const ofClient = (aliases: string) => tenant(`parent: new Client(slug, { ${aliases} })`);

interface Change {
  /** The tenant before and after the change, with these further options. */
  readonly was: (options: string) => string;
  readonly is: (options: string) => string;
  readonly options?: string;
  /** Default: those that the message advises. */
  readonly aliases?: string;
}

describe.each<[string, Change]>([
  ["another name", { was: tenant, is: renamed }],
  ["another name, and is protected,", { was: tenant, is: renamed, options: "protect: true," }],
  ["a parent", { was: tenant, is: moved }],
  [
    "a parent",
    { was: tenant, is: moved, aliases: "aliases: [{ parent: pulumi.rootStackResource }]" },
  ],
  [
    "a parent of another type",
    { was: moved, is: ofClient, aliases: 'aliases: [{ type: "shop:index:Customer" }]' },
  ],
])("a tenant that got %s", (_, { was, is, options = "", aliases }) => {
  const slug = `acme-${++count}`;

  afterAll(async () => {
    await project.run("state", "unprotect", "--all", "--yes");
    await up(slug, "");
  });

  it(`is refused without an alias, and goes on with ${aliases ?? "what the message says"}`, async () => {
    expect(await up(slug, was(options))).toMatchObject({ code: 0 });
    const made = await rows();
    const refused = await up(slug, is(options));
    expect(refused.code).not.toBe(0);
    const [, advised = "", command = "", urn = ""] = advice.exec(refused.output) ?? [];
    if (options !== "") await project.run(...command.split(" "), urn);
    const mended = await up(slug, is(options + (aliases ?? advised)));
    expect(mended.output).not.toContain("error:");
    expect(mended.code).toBe(0);
    expect(await rows()).toEqual(made);
    await project.run("preview", "--expect-no-changes");
  });
});
