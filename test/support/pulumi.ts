import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Client, type QueryResultRow } from "pg";
import { obtainEngine } from "../../engine/obtain/obtain";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { createTestDatabase } from "./database";

/** How a run of the CLI ended. */
export interface Run {
  readonly code: number | null;
  /** Standard output and standard error, as they came. */
  readonly output: string;
}

/** A Pulumi project in a folder of its own, with a stack `dev`, its state and its database. */
export interface Project {
  readonly directory: string;
  /** The environment the CLI runs in; a test may change it. */
  readonly env: Record<string, string | undefined>;
  /** Runs `pulumi …` and gives whatever comes of it. */
  tryRun(...args: string[]): Promise<Run>;
  /** Runs `pulumi …`, which must succeed, and gives its output. */
  run(...args: string[]): Promise<string>;
  /** Runs a statement in the database as its owner. */
  sql<T extends QueryResultRow>(statement: string, values?: unknown[]): Promise<T[]>;
  /**
   * Writes the list of tenants, and their passwords as secrets, into the stack's configuration.
   *
   * @param migrationsDir The folder with the tenants' migrations. Default: this package's own.
   */
  configure(tenants: readonly object[], migrationsDir?: string): Promise<void>;
}

const repository = path.resolve(__dirname, "../../..");

/**
 * Makes a project from files of this repository before a file's tests, and ends it after them.
 *
 * @param source Their folder, relative to the repository.
 * @param options Of the database that is made for it: see `createTestDatabase`.
 */
export function usePulumiProject(
  source: string,
  files: readonly string[],
  options: { tenantRoles?: boolean } = {},
): Project {
  const directory = mkdtempSync(path.join(tmpdir(), "pulumi-project-"));
  const state = mkdtempSync(path.join(tmpdir(), "pulumi-state-"));
  const env: Project["env"] = {};
  let cli: string;
  let client: Client;
  let drop: () => Promise<void>;

  const tryRun = (...args: string[]) =>
    new Promise<Run>((resolve, reject) => {
      const options = { cwd: directory, env: { ...process.env, ...env } };
      const child = spawn(cli, [...args, "--non-interactive", "--color=never"], options);
      let output = "";
      const keep = (chunk: Buffer) => (output += chunk.toString());
      child.stdout.on("data", keep);
      child.stderr.on("data", keep);
      child.once("error", reject).once("close", (code) => {
        resolve({ code, output });
      });
    });
  const run = async (...args: string[]) => {
    const { code, output } = await tryRun(...args);
    if (code !== 0)
      throw new Error(`pulumi ${args.join(" ")} exited with ${String(code)}:\n${output}`);
    return output;
  };

  beforeAll(async () => {
    for (const file of files) {
      cpSync(path.join(repository, source, file), path.join(directory, file));
    }
    for (const shared of ["node_modules", "dist"]) {
      symlinkSync(path.join(repository, shared), path.join(directory, shared));
    }
    const engine = await obtainEngine(() => undefined);
    const database = await createTestDatabase(options);
    cli = engine.pulumi;
    drop = () => database.drop();
    client = new Client(database.url);
    await client.connect();
    Object.assign(env, engine.env, {
      DATABASE_URL: database.url,
      PULUMI_BACKEND_URL: `file://${state}`,
      PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests",
    });
    await run("stack", "init", "dev");
  });
  afterAll(async () => {
    await client.end();
    await drop();
    for (const folder of [directory, state]) rmSync(folder, { recursive: true });
  });

  return {
    directory,
    env,
    tryRun,
    run,
    sql: async <T extends QueryResultRow>(statement: string, values: unknown[] = []) =>
      (await client.query<T>(statement, values)).rows,
    async configure(tenants, migrationsDir = tenantMigrationsDir) {
      const [, name = ""] =
        /^name: (.*)$/m.exec(readFileSync(path.join(directory, "Pulumi.yaml"), "utf8")) ?? [];
      const file = path.join(directory, "Pulumi.dev.yaml");
      const salt = /^encryptionsalt: .*$/m.exec(readFileSync(file, "utf8"))?.[0] ?? "";
      const value = { [`${name}:tenants`]: tenants, [`${name}:database`]: { migrationsDir } };
      // JSON is YAML too.
      writeFileSync(file, `${salt}\nconfig: ${JSON.stringify(value)}\n`);
      const passwords = [...tenants.keys()].flatMap((index) => [
        "--secret",
        `tenants[${index}].adminPassword=${plaintextPassword}`,
      ]);
      if (tenants.length > 0) await run("config", "set-all", "--path", ...passwords);
    },
  };
}

/** The password of every admin that a test's configuration declares. */
export const plaintextPassword = "correct-horse-battery-staple";

/** One tenant of a test's configuration, without its password. */
export function tenant(slug: string, overrides: object = {}): object {
  return {
    name: `The ${slug} company`,
    slug,
    adminEmail: `admin@${slug}.example`,
    adminFirstName: "Ana",
    adminLastName: "Diaz",
    ...overrides,
  };
}
