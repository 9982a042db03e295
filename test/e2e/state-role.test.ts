import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { obtainEngine, type Engine } from "../../engine/obtain/obtain";
import { createTestDatabase, type TestDatabase } from "../support/database";
import { docBlock } from "../support/docs";
import { postgresState } from "../support/pulumi-state";

const run = promisify(execFile);
const directory = mkdtempSync(path.join(tmpdir(), "state-role-"));
let engine: Engine;
let database: TestDatabase;

beforeAll(async () => {
  engine = await obtainEngine(() => undefined);
  database = await createTestDatabase({
    sql: docBlock("docs/state-and-secrets.md", "The role of a postgres:// backend", "sql"),
  });
  writeFileSync(path.join(directory, "Pulumi.yaml"), "name: state\nruntime: nodejs\n");
});
afterAll(async () => {
  await database.drop();
  rmSync(directory, { recursive: true });
});

async function pulumi(...args: string[]): Promise<string> {
  const { stdout } = await run(engine.pulumi, [...args, "--non-interactive"], {
    cwd: directory,
    env: {
      ...process.env,
      ...engine.env,
      PULUMI_BACKEND_URL: postgresState(database.url).url,
      PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests",
    },
  });
  return stdout;
}

async function asSuperuser(statement: string): Promise<void> {
  const client = new Client(database.superuserUrl);
  await client.connect();
  await client.query(statement).finally(() => client.end());
}

test("the CLI keeps stacks under the role that docs/state-and-secrets.md makes for the state", async () => {
  await pulumi("stack", "init", "dev");
  expect(await pulumi("stack", "ls")).toContain("dev");
  await pulumi("stack", "rm", "dev", "--yes");
  expect(await pulumi("stack", "ls")).not.toContain("dev");
});

test.each([
  ["connect on database :name", "permission denied for database"],
  ["usage on schema public", "no schema has been selected|permission denied for schema"],
  ["create on schema public", "permission denied for schema"],
])("less %s, it keeps none", async (right, words) => {
  const named = right.replace(":name", new URL(database.url).username);
  const role = new URL(database.url).username;
  await asSuperuser(`revoke ${named} from ${role}`);
  const refused = pulumi("stack", "ls").catch((error: unknown) => error);
  const error = await refused.finally(() => asSuperuser(`grant ${named} to ${role}`));
  expect(String(error)).toMatch(new RegExp(words));
});
