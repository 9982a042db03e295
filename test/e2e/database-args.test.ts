import { writeFileSync } from "node:fs";
import path from "node:path";
import { usePulumiProject } from "../support/pulumi";

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

describe("a stack that does not say which tables its tenants get", () => {
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
  ])("is refused, and told what to write: %s", async (program, words) => {
    write(program);
    const { code, output } = await project.tryRun("preview");
    expect(code).not.toBe(0);
    expect(output).toContain(words);
  });
});
