import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { obtainEngine, type Engine } from "../../engine/obtain/obtain";
import { createTestDatabase, type TestDatabase } from "../support/database";
import { docBlock } from "../support/docs";

const repository = path.resolve(__dirname, "../../..");
const directory = mkdtempSync(path.join(tmpdir(), "somebody-elses-project-"));

let engine: Engine;
let database: TestDatabase;
beforeAll(async () => {
  [engine, database] = await Promise.all([obtainEngine(() => undefined), createTestDatabase()]);
});
afterAll(async () => {
  await database.drop();
  rmSync(directory, { recursive: true });
});

const write = (file: string, text: string) => {
  writeFileSync(path.join(directory, file), text);
};
const execute = (command: string, args: string[], cwd = directory) =>
  execFileSync(command, args, {
    cwd,
    encoding: "utf8",
    env: {
      ...process.env,
      ...engine.env,
      DATABASE_URL: database.url,
      PULUMI_BACKEND_URL: `file://${directory}`,
      PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests",
    },
  });
const pulumi = (...args: string[]) => execute(engine.pulumi, [...args, "--non-interactive"]);

/** The repository's files as a fresh clone has them: nothing that is ignored, so no `dist`. */
function clone(): string {
  const to = path.join(directory, "clone");
  const list = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  for (const file of execute("git", list, repository).split("\0")) {
    if (file !== "") cpSync(path.join(repository, file), path.join(to, file));
  }
  symlinkSync(path.join(repository, "node_modules"), path.join(to, "node_modules"));
  return to;
}

describe("the package, in a project of somebody else's", () => {
  let files: string[];

  it("is packed in a fresh clone, and installed beside @pulumi/pulumi", () => {
    const [pack = "", install = ""] = docBlock("docs/stacks.md", "Install the package", "sh")
      .split("\n")
      .map((line) => line.replace(/ *#.*/, ""));
    const packed = JSON.parse(
      execute("sh", ["-c", `${pack} --json --pack-destination ${directory}`], clone()),
    ) as [{ filename: string; files: { path: string }[] }];
    files = packed[0].files.map((file) => file.path);
    write("package.json", JSON.stringify({ name: "shop-infrastructure", private: true }));
    const { version } = JSON.parse(
      readFileSync(path.join(repository, "node_modules/@pulumi/pulumi/package.json"), "utf8"),
    ) as { version: string };
    expect(install).toBe(`npm install ./${packed[0].filename} @pulumi/pulumi@${version}`);
    execute("sh", ["-c", `${install} --prefer-offline --no-audit --no-fund`]);
  });

  it("holds the library, the program and the migrations, and nothing else", () => {
    const rooms = new Set(files.map((file) => file.split("/").slice(0, 2).join("/")));
    expect([...rooms].sort()).toEqual([
      ...[
        "LICENSE",
        "README.md",
        "dist/program",
        "dist/provider",
        "migrations/public",
        "migrations/tenant",
      ],
      "package.json",
    ]);
  });

  it("has types that a strict program compiles with, and that refuse a mistake", () => {
    const program = (slug: string) => `
      import * as pulumi from "@pulumi/pulumi";
      import { Tenant, TenantDatabase } from "pulumi-tenant";
      const config = new pulumi.Config();
      const database = new TenantDatabase("database", { migrationsDir: "migrations" });
      const acme = new Tenant("acme", {
        name: "Acme Corp",
        ${slug}: "acme",
        adminEmail: "ana@acme.example",
        adminPassword: config.requireSecret("adminPassword"),
        adminFirstName: "Ana",
        adminLastName: "Diaz",
        forceDestroy: true,
        database,
      });
      export const schema = acme.schemaName;
      export const status: pulumi.Output<string> = acme.status;
    `;
    const compile = (file: string, text: string) => {
      write(file, text);
      const compilerOptions = { strict: true, module: "node16", skipLibCheck: true, types: [] };
      write("tsconfig.json", JSON.stringify({ compilerOptions, files: [file] }));
      execute(process.execPath, [path.join(repository, "node_modules/typescript/bin/tsc")]);
    };
    expect(() => {
      compile("mistake.ts", program("slag"));
    }).toThrow();
    compile("index.ts", program("slug"));
  });

  it("sets up a tenant, shows no change, and goes down", () => {
    write(
      "Pulumi.yaml",
      "name: shop\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n",
    );
    mkdirSync(path.join(directory, "migrations"));
    write(
      "migrations/1_notes.sql",
      "-- migrate:up\ncreate table notes (id int);\n-- migrate:down\ndrop table notes;\n",
    );
    pulumi("stack", "init", "dev");
    pulumi("config", "set", "--secret", "adminPassword", "correct-horse-battery");
    pulumi("up", "--yes", "--skip-preview");
    expect(pulumi("stack", "output", "status").trim()).toBe("active");
    expect(pulumi("stack", "output", "schema")).toMatch(/^tenant_[0-9a-f-]{36}/);
    pulumi("preview", "--expect-no-changes");
    pulumi("destroy", "--yes", "--skip-preview");
  });
});
