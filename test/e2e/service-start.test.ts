import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import path from "node:path";
import { Client } from "pg";
import { checkout } from "../../engine/obtain/places";
import { publicMigrationsDir, readMigrations } from "../../provider/database/migrations";
import { send } from "../support/service-client";
import { useServiceDatabase } from "../support/service-database";
import {
  cleanUpServices,
  serviceEnvironment,
  startService,
  temporaryFolder,
} from "../support/service-process";

const database = useServiceDatabase({ migrated: false });
afterAll(cleanUpServices);

describe("a start that cannot be says why in one line each, and ends with 1", () => {
  async function refusal(env: Record<string, string>): Promise<string[]> {
    const service = startService(env);
    expect(await service.ended).toBe(1);
    return service.output().trim().split("\n");
  }

  test("what is not set", async () => {
    expect(await refusal({ DATABASE_URL: "postgres://app@db/app" })).toEqual([
      expect.stringMatching(/^PULUMI_BACKEND_URL is not set: set it to /),
      expect.stringMatching(/^PULUMI_CONFIG_PASSPHRASE is not set: set it to /),
      expect.stringMatching(/^TENANT_MIGRATIONS_DIR is not set: set it to the folder /),
      expect.stringMatching(/^JWT_SECRET is not set: set it to /),
    ]);
  });

  test("a host that others can reach, in embedded mode", async () => {
    const DATA_DIR = path.join(temporaryFolder("service-data-"), "untouched");
    expect(await refusal({ DATA_DIR, HOST: "0.0.0.0" })).toEqual([
      "HOST must be a loopback address without DATABASE_URL: unset HOST, or set DATABASE_URL",
    ]);
    expect(() => statSync(DATA_DIR)).toThrow("ENOENT");
  });

  test("a port that is in use", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const lines = await refusal({ ...serviceEnvironment(database.url()), PORT: String(port) });
    other.close();
    expect(lines).toEqual([`port ${port} of 127.0.0.1 is in use: stop what uses it, or set PORT`]);
  });

  test("a database that does not answer", async () => {
    const lines = await refusal(serviceEnvironment("postgres://app:s3cr3tpw@127.0.0.1:1/app"));
    expect(lines).toEqual(["the database is down: connect ECONNREFUSED 127.0.0.1:1"]);
  });

  test("a state backend that cannot be opened", async () => {
    const lines = await refusal({
      ...serviceEnvironment(database.url()),
      PULUMI_BACKEND_URL: "file:///nowhere",
    });
    expect(lines.at(-1)).toMatch(
      /^the Pulumi engine is down: unable to open bucket .*no such file or directory$/,
    );
    expect(lines).toHaveLength(2);
  });

  test("one in PostgreSQL, without the password in its address", async () => {
    const lines = await refusal({
      ...serviceEnvironment(database.url()),
      PULUMI_BACKEND_URL: "postgres://app:s3cr3tpw@127.0.0.1:1/app",
    });
    expect(lines.at(-1)).toMatch(
      /^the Pulumi engine is down: unable to open bucket postgres:\/\/\[redacted\]@127\.0\.0\.1:1/,
    );
    expect(lines.join()).not.toContain("s3cr3tpw");
  });
});

describe("embedded mode", () => {
  let DATA_DIR: string;
  beforeAll(() => {
    // Started by root, the server's own account must be able to enter.
    const folder = temporaryFolder("service-data-");
    chmodSync(folder, 0o755);
    DATA_DIR = path.join(folder, "data");
    mkdirSync(DATA_DIR);
  });

  /** Runs a line as a person who pastes it into a shell does. */
  const paste = (line: string) => spawnSync("sh", ["-c", line], { encoding: "utf8" }).stdout;

  const curlLine = (output: string) =>
    output.split("\n").find((line) => line.startsWith("curl ")) ?? "";

  test("serves, and ends its start with a line that sets up a tenant; all data outlives it", async () => {
    const first = startService({ DATA_DIR });
    const address = await first.url;
    await outputOf(first, /^curl .*\n/m);
    expect(first.output()).toContain(`Serving at ${address}.`);

    const answer = paste(curlLine(first.output()));
    expect(answer).toMatch(/^HTTP\/1.1 201 Created/);
    expect(answer).toContain(`"name":"Acme Corp","slug":"acme-corp"}`);
    expect(paste(curlLine(first.output()))).toMatch(/^HTTP\/1.1 409 Conflict/);
    expect(statSync(path.join(DATA_DIR, "secrets.json")).mode & 0o777).toBe(0o600);

    const rival = startService({ DATA_DIR });
    expect(await rival.ended).toBe(1);
    expect(rival.output()).toContain(`is in use by another instance`);
    expect((await send(`${address}/readyz`)).status).toBe(200);

    first.signal("SIGINT");
    expect(await first.ended).toBe(0);
    expect(postgresProcesses(DATA_DIR)).toEqual([]);

    const second = startService({ DATA_DIR });
    await second.url;
    await outputOf(second, /^curl .*\n/m);
    expect(paste(curlLine(second.output()))).toMatch(/^HTTP\/1.1 409 Conflict/);
    const [, token = ""] = /Bearer ([\w.-]+)/.exec(curlLine(second.output())) ?? [];
    const list = await send(`${await second.url}/api/tenant`, { token });
    expect(list.body.meta).toMatchObject({ total: 1 });
    second.signal("SIGTERM");
    expect(await second.ended).toBe(0);
  });

  test("a Ctrl-C while it starts leaves nothing running", async () => {
    for (const sign of [/database: starting PostgreSQL/, /database: applying/]) {
      const service = startService({ DATA_DIR });
      await outputOf(service, sign);
      service.signal("SIGINT");
      expect(await service.ended).toBe(0);
      expect(postgresProcesses(DATA_DIR)).toEqual([]);
    }
  });

  test("by npm start, it ends whole when npm alone is told to; another service lives on", async () => {
    const { PATH, HOME } = process.env;
    const other = startService(serviceEnvironment(database.url()));
    const address = await other.url;
    const npm = spawn("npm", ["start"], {
      cwd: checkout,
      env: { PATH, HOME, DATA_DIR, PORT: "0" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    npm.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    while (!output.includes('"msg":"listening"')) await once(npm.stdout, "data");
    expect(postgresProcesses(DATA_DIR)).not.toEqual([]);

    npm.kill("SIGTERM");
    // The service holds this pipe too: it closes when the last of them has ended.
    await once(npm, "close");
    expect(postgresProcesses(DATA_DIR)).toEqual([]);
    expect((await send(`${address}/readyz`)).status).toBe(200);
  });

  function postgresProcesses(directory: string): string[] {
    const all = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" }).split("\n");
    return all.filter((args) => args.includes(directory));
  }

  async function outputOf(service: ReturnType<typeof startService>, text: RegExp): Promise<void> {
    while (!text.test(service.output())) await once(service.child.stdout ?? process, "data");
  }
});

test("a service whose parent died ends by itself", async () => {
  const service = startService(serviceEnvironment(database.url()));
  await service.url;
  service.child.disconnect();
  expect(await service.ended).toBe(0);
});

test("the public migrations are applied once, whoever starts", async () => {
  const client = new Client(database.url());
  await client.connect();
  const { rows } = await client.query("select version from public.schema_migrations order by 1");
  await client.end();
  expect(rows).toHaveLength(Object.keys(readMigrations(publicMigrationsDir)).length);
});
