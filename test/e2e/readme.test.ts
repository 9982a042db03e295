import { execFile, execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { findEmbeddedPostgres } from "../../engine/postgres/embedded";
import { docBlock } from "../support/docs";

const repository = path.resolve(__dirname, "../../..");

const directory = mkdtempSync(path.join(tmpdir(), "readme-"));
// The embedded server's own account must get in.
chmodSync(directory, 0o755);
const dataDir = path.join(directory, "data");
const env = { ...process.env, DATA_DIR: dataDir, PORT: "0", DATABASE_URL: undefined };

const readmeBlock = (heading: string, language: string) => docBlock("README.md", heading, language);

afterAll(() => {
  rmSync(directory, { recursive: true });
});

it("the stack of way 1 compiles", () => {
  const project = path.join(directory, "way-1");
  cpSync(
    path.join(repository, "examples/three-tenants/package.json"),
    path.join(project, "package.json"),
  );
  symlinkSync(path.join(repository, "node_modules"), path.join(project, "node_modules"));
  writeFileSync(path.join(project, "index.ts"), readmeBlock("Way 1", "ts"));
  const compilerOptions = {
    strict: true,
    module: "node16",
    skipLibCheck: true,
    types: [],
    noEmit: true,
  };
  writeFileSync(path.join(project, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  execFileSync(process.execPath, [path.join(repository, "node_modules/typescript/bin/tsc")], {
    cwd: project,
  });
});

describe("npm start, as the README tells it,", () => {
  let service: ChildProcess;
  let output = "";
  let address = "";
  let database: Client;

  /** Runs a piece of shell in the repository, as somebody who reads the README does. */
  const shell = async (script: string) => {
    const options = { cwd: repository, env, maxBuffer: 16 * 1024 * 1024 };
    return (await promisify(execFile)("sh", ["-ec", script], options)).stdout;
  };

  it("ends its start with the address and a curl line", async () => {
    // A session of its own, as a terminal gives it: Ctrl-C goes to the whole group.
    const [start = ""] = readmeBlock("Two commands", "sh").split(" #");
    service = spawn("sh", ["-c", `exec ${start}`], { cwd: repository, env, detached: true });
    for (const stream of [service.stdout, service.stderr]) {
      stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
    }
    while (!/^curl .*$/m.test(output)) {
      if (service.exitCode !== null) throw new Error(`npm start ended:\n${output}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    address = /Serving at (http:\S+?)\. /.exec(output)?.[1] ?? "";
    database = new Client(await findEmbeddedPostgres(path.join(dataDir, "postgres")));
    // The server goes down while this is connected.
    database.on("error", () => undefined);
    await database.connect();
  });

  it("sets up Acme Corp when that line is pasted, and says 409 the second time", async () => {
    const line = /^curl .*$/m.exec(output)?.[0] ?? "";
    expect(await shell(line)).toMatch(
      /^HTTP\/1\.1 201 Created[^]*Location: \/api\/tenant\/[0-9a-f-]{36}[^]*"slug":"acme-corp"/i,
    );
    const { rows } = await database.query(
      `select t.status, m.role, (select count(*)::int from pg_tables where schemaname = 'tenant_' || t.id) as tables
      from tenants t join tenant_users m on m.tenant_id = t.id where slug = 'acme-corp'`,
    );
    expect(rows).toEqual([{ status: "active", role: "ADMIN", tables: 7 }]);
    expect(await shell(line)).toMatch(/^HTTP\/1\.1 409 Conflict/);
  });

  it("answers way 3", async () => {
    const answers = await shell(
      readmeBlock("Way 3", "sh").replaceAll("http://127.0.0.1:3000", address),
    );
    expect(answers).toMatch(
      /^HTTP\/1\.1 201 Created[^]*"slug":"umbrella"[^]*HTTP\/1\.1 200 OK[^]*"total":2/,
    );
  });

  it("shares its database with way 2, by pulumi up", async () => {
    const example = path.join(directory, "three-tenants");
    cpSync(path.join(repository, "examples/three-tenants"), example, { recursive: true });
    symlinkSync(path.join(repository, "node_modules"), path.join(example, "node_modules"));
    const commands = readmeBlock("Way 2", "sh").replaceAll("examples/three-tenants", example);
    expect(await shell(commands)).toContain("+ 23 created");
    const { rows } = await database.query(
      "select slug from tenants where status = 'active' order by slug",
    );
    expect(rows.map(({ slug }: { slug: string }) => slug)).toEqual([
      ...["acme", "acme-corp", "globex", "initech", "umbrella"],
    ]);
  });

  it("stops everything at Ctrl-C, the database too", async () => {
    process.kill(-(service.pid ?? 0), "SIGINT");
    await once(service, "exit");
    expect(await findEmbeddedPostgres(path.join(dataDir, "postgres"))).toBeUndefined();
    await expect(fetch(`${address}/healthz`)).rejects.toThrow();
    await database.end().catch(() => undefined);
  });
});
