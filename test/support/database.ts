import { randomBytes } from "node:crypto";
import { Client } from "pg";
import { migrate } from "../../provider/database/dbmate";
import { publicMigrationsDir, readMigrations } from "../../provider/database/migrations";

/** A database that one test has for itself. */
export interface TestDatabase {
  /** As its owner, a role that is no superuser and that no other test has. */
  readonly url: string;
  /** The same database as the server's superuser. */
  readonly superuserUrl: string;
  /** Ends every connection to it, then removes it and its role. */
  drop(): Promise<void>;
}

/**
 * Makes an empty database on the server of TEST_POSTGRES_URL.
 *
 * @param options.migrated Whether the control tables are in it.
 */
export async function createTestDatabase(
  options: { migrated?: boolean } = {},
): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString("hex")}`;
  const password = randomBytes(16).toString("hex");
  await asSuperuser(
    `create role ${name} login nosuperuser nocreatedb nocreaterole password '${password}'`,
    `create database ${name} owner ${name}`,
    // As PostgreSQL ships it, every role may connect to every database.
    `revoke connect on database ${name} from public`,
  );
  const url = serverUrl();
  url.pathname = `/${name}`;
  const superuserUrl = url.href;
  url.username = name;
  url.password = password;
  if (options.migrated) await applyPublicMigrations(name, url.href);
  return {
    url: url.href,
    superuserUrl,
    drop: () => asSuperuser(`drop database if exists ${name} with (force)`, `drop role ${name}`),
  };
}

function serverUrl(): URL {
  const text = process.env.TEST_POSTGRES_URL;
  if (!text)
    throw new Error("TEST_POSTGRES_URL is not set: npm test sets it, or give a superuser's URL");
  return new URL(text);
}

async function asSuperuser(...statements: string[]): Promise<void> {
  const client = new Client({ connectionString: serverUrl().href });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

async function applyPublicMigrations(name: string, url: string): Promise<void> {
  const urlEnv = `${name.toUpperCase()}_URL`;
  process.env[urlEnv] = url;
  try {
    const files = readMigrations(publicMigrationsDir);
    await migrate({ urlEnv, schemaName: "public", directory: publicMigrationsDir, files });
  } finally {
    Reflect.deleteProperty(process.env, urlEnv);
  }
}
