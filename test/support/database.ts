import { randomBytes } from "node:crypto";
import { Client } from "pg";
import { migrate } from "../../provider/database/dbmate";
import { parseDatabaseUrl } from "../../provider/database/settings";
import { publicMigrationsDir, readMigrations } from "../../provider/database/migrations";
import { docBlock } from "./docs";

/** A database that one test has for itself. */
export interface TestDatabase {
  /** As the role that docs/operating.md has made for it, which no other test has. */
  readonly url: string;
  /** The same database as the server's superuser. */
  readonly superuserUrl: string;
  /** Ends every connection to it, then removes it and its role. */
  drop(): Promise<void>;
}

/**
 * Makes an empty database on the server of TEST_POSTGRES_URL, by the SQL that docs/operating.md tells.
 *
 * @param options.migrated Whether the control tables are in it.
 * @param options.sql Other SQL that makes a role and a database.
 * @param options.tenantRoles Whether the role may make one for each tenant, by the SQL that the page tells.
 */
export async function createTestDatabase(
  options: { migrated?: boolean; sql?: string; tenantRoles?: boolean } = {},
): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString("hex")}`;
  const password = randomBytes(16).toString("hex");
  const [onServer, inDatabase] = setUpStatements(name, password, options.sql);
  await asSuperuser("postgres", onServer);
  await asSuperuser(name, inDatabase);
  const [more] = setUpStatements(name, password, tenantRolesSql());
  if (options.tenantRoles) await asSuperuser(name, more);
  const url = serverUrl(name);
  const superuserUrl = url.href;
  url.username = name;
  url.password = password;
  if (options.migrated) await applyPublicMigrations(name, url.href);
  return {
    url: url.href,
    superuserUrl,
    drop: async () => {
      const roles = await tenantRoles(name);
      await asSuperuser("postgres", [
        `drop database if exists ${name} with (force)`,
        ...roles.map((role) => `drop role "${role}"`),
        `drop role ${name}`,
      ]);
    },
  };
}

function tenantRolesSql(): string {
  return docBlock("docs/operating.md", "A role for each tenant", "sql");
}

/** Roles are the server's, and stay when the database goes. */
async function tenantRoles(database: string): Promise<string[]> {
  const client = new Client({ connectionString: serverUrl("postgres").href });
  await client.connect();
  try {
    const { rows } = await client.query<{ rolname: string }>(
      `select rolname from pg_roles join pg_database on datname = $1 and rolname ~ ('^tenant.*_' || pg_database.oid || '$')`,
      [database],
    );
    return rows.map(({ rolname }) => rolname);
  } finally {
    await client.end();
  }
}

/** The statements for a role and a database of this name: on the server, then in the database. */
function setUpStatements(
  name: string,
  password: string,
  sql = docBlock("docs/operating.md", "The database role", "sql"),
): [string[], string[]] {
  const [onServer = "", inDatabase = ""] = sql
    .replaceAll(/\b(pulumi_tenant|pulumi_state|app)\b/g, name)
    .replace("…", password)
    .split(`\\connect ${name}\n`);
  const statements = (text: string) => text.split(";").filter((part) => part.trim() !== "");
  return [statements(onServer), statements(inDatabase)];
}

function serverUrl(database: string): URL {
  const text = process.env.TEST_POSTGRES_URL;
  if (!text)
    throw new Error("TEST_POSTGRES_URL is not set: npm test sets it, or give a superuser's URL");
  const url = new URL(text);
  url.pathname = `/${database}`;
  return url;
}

async function asSuperuser(database: string, statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: serverUrl(database).href });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

async function applyPublicMigrations(name: string, url: string): Promise<void> {
  await migrate({
    database: parseDatabaseUrl(url, name),
    schemaName: "public",
    directory: publicMigrationsDir,
    files: readMigrations(publicMigrationsDir),
  });
}
