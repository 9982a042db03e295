import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { ComponentResourceOptions, CustomResourceOptions } from "@pulumi/pulumi";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { readDoc } from "../support/docs";
import { usePulumiProject } from "../support/pulumi";

type OptionName = keyof ComponentResourceOptions | keyof CustomResourceOptions;

/** The rows of the page's table under a heading, each as its cells. */
function tableUnder(heading: string): string[][] {
  const section = readDoc("docs/stacks.md").split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("|"));
  return rows.slice(2).map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
const habits = tableUnder("Options and habits of Pulumi");
const codeIn = (cell = "") => [...cell.matchAll(/`(.*?)`/g)].map(([, code = ""]) => code);

const project = usePulumiProject("examples/three-tenants", ["Pulumi.yaml", "package.json"]);
const file = (name: string) => path.join(project.directory, name);

function write(declarations: string): void {
  writeFileSync(
    file("index.js"),
    `const pulumi = require("@pulumi/pulumi");
    const { Tenant, TenantDatabase } = require("pulumi-tenant");
    const note = (text) => require("node:fs").appendFileSync("hooks.log", text + "\\n");
    const hook = (name) => new pulumi.ResourceHook(name, ({ urn, newOutputs }) =>
      note([name, urn.split("::").at(-1), newOutputs?.status].join(" ").trim()));
    const [afterCreate, beforeDelete] = ["afterCreate", "beforeDelete"].map(hook);
    class Customer extends pulumi.ComponentResource {
      constructor(name, opts) { super("shop:index:Customer", name, {}, opts); }
    }
    const migrationsDir = ${JSON.stringify(tenantMigrationsDir)};
    let database = new TenantDatabase("database", { migrationsDir });
    const tenant = (slug, options, args) =>
      new Tenant(slug, {
        ...{ name: slug, slug, adminEmail: \`admin@\${slug}.example\`, database, forceDestroy: true },
        ...{ adminPassword: "correct-horse-battery-staple", adminFirstName: "Ana", adminLastName: "Diaz" },
        ...args,
      }, options);
    ${declarations}`,
  );
}
const up = async (declarations: string, ...args: string[]) => {
  write(declarations);
  return project.run("up", "--yes", "--skip-preview", ...args);
};
const preview = async (declarations: string, ...args: string[]) => {
  write(declarations);
  return project.tryRun("preview", ...args);
};
const statuses = async () =>
  Object.fromEntries(
    (await project.sql<{ name: string; status: string }>("select name, status from tenants")).map(
      ({ name, status }) => [name, status],
    ),
  );

/** What stays from run to run. */
const lasting = `tenant("globex"); tenant("guarded", { protect: true });
  tenant("child", { parent: new Customer("customer") });`;

/** What the second run leaves out. */
const leaving = `const server = new Customer("server");
  tenant("first"); tenant("second", { dependsOn: [server] });
  tenant("retained", { retainOnDelete: true });
  tenant("on-server", { deletedWith: server });
  tenant("hooked", { hooks: { afterCreate: [afterCreate], beforeDelete: [beforeDelete] } });`;

let made: string;
let ended: string;
let after: Record<string, string>;

beforeAll(async () => {
  const inOrder = leaving.replace(`tenant("first")`, `const first = tenant("first")`);
  made = await up(lasting + inOrder.replace("dependsOn: [server]", "dependsOn: [first]"));
  ended = await up(lasting);
  after = await statuses();
});

/** In this order in the output of a run. */
const inOrder = (...lines: string[]) => new RegExp(lines.join("[^]*"));

/** How globex looks when each of its arguments that can be ignored is changed. */
const changed = `{ name: "Globex Ltd", slug: "globex-ltd", adminEmail: "eve@globex.example",
  adminPassword: "another-horse-battery", adminFirstName: "Eve", adminLastName: "Li",
  id: "660e8400-e29b-41d4-a716-446655440000" }`;
const withGlobex = (options: string, args: string) =>
  lasting.replace(`tenant("globex")`, `tenant("globex", ${options}, ${args})`);

const expectIgnored = async (options: string) => {
  const { output } = await preview(withGlobex(options, '{ name: "Globex Ltd" }'));
  expect(output).toMatch(/\d+ unchanged/);
  expect(output).not.toMatch(/to update|error:/);
};

/** The test of each row, by its first cell. */
const tests: Record<string, () => Promise<void>> = {
  "`aliases`": async () => {
    const renamed = `tenant("globex-ltd", { aliases: [{ name: "globex" }] }, 
      { slug: "globex", adminEmail: "admin@globex.example" });`;
    const { output } = await preview(lasting.replace(`tenant("globex");`, renamed));
    expect(output).not.toMatch(/to (create|delete|replace)|error:/);
    expect(output).toMatch(/~ 3 to update/);
  },
  "`parent`": async () => {
    const urns = await project.run("stack", "--show-urns");
    expect(urns).toContain("shop:index:Customer$pulumi-tenant:index:Tenant::child");
    expect((await statuses()).child).toBe("active");
  },
  "`dependsOn`": () => {
    expect(made).toMatch(inOrder("Membership first created", "Record second creating"));
    expect(ended).toMatch(inOrder("Record second deleted", "Membership first deleting"));
    return Promise.resolve();
  },
  "`protect`": async () => {
    const { code, output } = await preview(lasting.replace(/tenant\("guarded".*?;/, ""));
    expect(code).not.toBe(0);
    expect(output).toContain("because it is protected");
  },
  "`retainOnDelete`": () => {
    expect(after.retained).toBe("active");
    return Promise.resolve();
  },
  "`deletedWith`": () => {
    expect(after["on-server"]).toBe("active");
    return Promise.resolve();
  },
  "`transforms`": () =>
    expectIgnored(`{ transforms: [({ type, props, opts }) => type.endsWith("tenant:Record")
      ? { props, opts: { ...opts, ignoreChanges: ["name"] } } : undefined] }`),
  "`transformations`": () =>
    expectIgnored(`{ transformations: [({ type, props, opts }) => type.endsWith("tenant:Record")
      ? { props, opts: { ...opts, ignoreChanges: ["name"] } } : undefined] }`),
  "`ignoreChanges`": async () => {
    const row = habits.find(([habit]) => habit === "`ignoreChanges`");
    const fields = codeIn(row?.[1]);
    const all = await preview(withGlobex(`{ ignoreChanges: ${JSON.stringify(fields)} }`, changed));
    expect(all.output).toMatch(/\d+ unchanged/);
    expect(all.output).not.toMatch(/to (update|create|replace)|error:/);
    const others = ["forceDestroy", "recreate", "database", "nme"];
    const { output } = await preview(
      withGlobex(`{ ignoreChanges: ${JSON.stringify(others)} }`, changed),
    );
    for (const field of others) expect(output).toContain(`ignoreChanges: ${field}: it can be name`);
  },
  "`hideDiffs`": async () => {
    const args = '{ name: "Globex Ltd" }';
    const shown = await preview(withGlobex("{}", args), "--diff");
    expect(shown.output).toContain("Globex Ltd");
    const hidden = await preview(withGlobex('{ hideDiffs: ["name"] }', args), "--diff");
    expect(hidden.output).not.toContain("Globex Ltd");
    expect(hidden.output).toContain("~ 1 to update");
  },
  "`hooks`": async () => {
    expect(readFileSync(file("hooks.log"), "utf8")).toBe(
      "afterCreate hooked active\nbeforeDelete hooked\n",
    );
    expect(ended).toMatch(inOrder("Record hooked deleted", "Tenant hooked deleting"));
    const others = ["beforeUpdate", "afterUpdate", "onError"];
    const hooks = others.map((name) => `${name}: [afterCreate]`).join();
    const { output } = await preview(withGlobex(`{ hooks: { ${hooks} } }`, "{}"));
    for (const name of others) expect(output).toContain(`hooks: ${name}: never runs`);
  },
  "`pulumi up --target '**::acme'`": async () => {
    const renamed = lasting
      .replace(/(tenant\("child", .*?)\);/, `$1, { name: "Child Ltd" });`)
      .replace(`tenant("globex")`, `tenant("globex", {}, { name: "Globex Ltd" })`);
    await up(`${renamed} tenant("acme");`, "--target", "**::acme", "--target", "**::child");
    expect(await statuses()).toMatchObject({
      ...{ acme: "active", "Child Ltd": "active", globex: "active" },
    });
    await up(lasting + 'tenant("acme");');
  },
  "`pulumi destroy --target '**::acme'`": async () => {
    write(lasting);
    await project.run("destroy", "--yes", "--skip-preview", "--target", "**::acme");
    expect(await statuses()).toEqual({ ...after, child: "active" });
  },
  "another name for the `TenantDatabase`": async () => {
    const renamed = `database = new TenantDatabase("db", { migrationsDir }, { aliases: [{ name: "database" }] });`;
    write(lasting);
    const text = readFileSync(file("index.js"), "utf8");
    writeFileSync(file("index.js"), text.replace(/let (database) = .*?;/, `let ${renamed}`));
    const { output } = await project.tryRun("preview");
    expect(output).not.toMatch(/to (create|replace|delete|update)|error:/);
    writeFileSync(
      file("index.js"),
      text.replace(`TenantDatabase("database"`, `TenantDatabase("db"`),
    );
    const without = await project.tryRun("preview");
    expect(without.output).not.toMatch(/to replace|error:|Tenant .* (create|delete)/);
  },
};

/** A value for each option that is refused; the others have a test of their own above. */
const given: Record<Exclude<OptionName, WorkingOption>, string> = {
  provider: "database.provider",
  providers: "[database.provider]",
  replaceOnChanges: '["name"]',
  replaceWith: "[database]",
  replacementTrigger: "1",
  deleteBeforeReplace: "true",
  additionalSecretOutputs: '["schemaName"]',
  customTimeouts: '{ create: "1h" }',
  version: '"1.0.0"',
  pluginDownloadURL: '"https://example.com"',
  import: '"660e8400-e29b-41d4-a716-446655440000"',
  id: '"660e8400-e29b-41d4-a716-446655440000"',
  urn: '"urn:pulumi:dev::other::pulumi-tenant:index:Tenant::globex"',
  envVarMappings: '{ A: "B" }',
};
type WorkingOption =
  | ("aliases" | "parent" | "dependsOn" | "protect" | "retainOnDelete" | "deletedWith")
  | ("transforms" | "transformations" | "ignoreChanges" | "hideDiffs" | "hooks");

describe("docs/stacks.md tells of each option and habit what is so:", () => {
  const refused = habits.filter(([, here]) => here === "refused");

  it("no row is without a test, and no test without a row", () => {
    const working = habits.filter((row) => !refused.includes(row)).map(([habit]) => habit);
    expect(working.toSorted()).toEqual(Object.keys(tests).toSorted());
    expect(refused.flatMap(([habit]) => codeIn(habit)).toSorted()).toEqual(
      Object.keys(given).toSorted(),
    );
  });

  it.each(Object.keys(tests))("%s", async (habit) => {
    await tests[habit]?.();
  });

  let message: Promise<string> | undefined;
  const messageOfAll = () =>
    (message ??= preview(
      withGlobex(
        `{ ${Object.entries(given)
          .map((pair) => pair.join(": "))
          .join()} }`,
        "{}",
      ),
    ).then(({ output }) => output));

  it.each(refused)("%s is %s: %s", async (habit) => {
    const output = await messageOfAll();
    expect(output).toContain("tenant globex cannot have these options:");
    for (const option of codeIn(habit)) expect(output).toMatch(new RegExp(`\n +${option}: \\w+`));
  });
});

test("a preview and an up say what of a changed declaration is the person's own, once", async () => {
  await project.sql("update users set first_name = 'Theirs' where email = 'admin@child.example'");
  const eve = lasting.replace(/(tenant\("child", .*?)\);/, `$1, { adminFirstName: "Eve" });`);
  const words = "admin@child.example: adminFirstName kept: the person's own";
  expect((await preview(eve)).output).toContain(words);
  expect(await up(eve)).toContain(words);
  const again = await preview(eve, "--expect-no-changes");
  expect(again.code).toBe(0);
  expect(again.output).not.toContain("kept");
  expect(await project.sql("select first_name from users where email like '%child%'")).toEqual([
    { first_name: "Theirs" },
  ]);
});

test("docs/stacks.md names each type as the CLI's tree does, and none that is not in it", () => {
  const inTree = [...made.matchAll(/^ \+ +(\S+:\S+) \S+ creat/gm)].map(([, type]) => type);
  const documented = tableUnder("Types in the tree").flatMap(([type]) => codeIn(type));
  expect(documented.toSorted()).toEqual(
    [...new Set(inTree)].filter((type) => type !== "shop:index:Customer").toSorted(),
  );
  const steps = readDoc("README.md").match(/^\| \d \w+ +\| `(\S+)`/gm) ?? [];
  expect(steps).toHaveLength(5);
  for (const step of steps) expect(documented).toContain(codeIn(step)[0]);
});
