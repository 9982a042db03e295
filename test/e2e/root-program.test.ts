import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { tenant, usePulumiProject } from "../support/pulumi";

const project = usePulumiProject(".", ["Pulumi.yaml", "package.json"]);

describe("the project at the root", () => {
  it("runs the built program, with migrations that are found from Pulumi.yaml's folder", async () => {
    mkdirSync(path.join(project.directory, "mine"));
    writeFileSync(
      path.join(project.directory, "mine/1_notes.sql"),
      "-- migrate:up\ncreate table notes (id int);\n-- migrate:down\ndrop table notes;\n",
    );
    await project.configure([tenant("acme", { forceDestroy: true })], "mine");
    await project.run("up", "--yes", "--skip-preview");
    await project.run("preview", "--expect-no-changes");
    expect(
      await project.sql(
        `select status, tablename from tenants t join pg_tables on schemaname = 'tenant_' || t.id
        where slug = 'acme' order by tablename`,
      ),
    ).toEqual([
      { status: "active", tablename: "notes" },
      { status: "active", tablename: "schema_migrations" },
    ]);
    await project.run("destroy", "--yes", "--skip-preview");
  });
});
