import { join } from "node:path";

import dbmatePackage from "dbmate/package.json";
import { Client } from "pg";

import { checkout } from "../obtain/places";
import { findEmbeddedPostgres } from "../postgres/embedded";
import { startTemporaryPostgres } from "../postgres/temporary";
import { tlsFault, tlsOptions, tlsSettings } from "../../provider/connections/tls";
import { reasonOf, runTool } from "../../scripts/tool.cjs";
import { type Finding, finding } from "./finding";

/**
 * Asks the database for its version: that of DATABASE_URL, else the embedded one. When the embedded one
 * does not run, a temporary one is started for this and removed again.
 */
export function tryDatabase(environment: NodeJS.ProcessEnv): Promise<Finding> {
  const { DATABASE_URL: url, DATA_DIR: data = join(checkout, ".data") } = environment;
  return url === undefined
    ? finding(
        { piece: "database", origin: "embedded" },
        "Set DATABASE_URL to a database of your own to do without the embedded one",
        async () => {
          const running = await findEmbeddedPostgres(join(data, "postgres"));
          return { version: await (running ? versionOf(running) : withTemporary(versionOf)) };
        },
      )
    : finding(
        { piece: "database", origin: "DATABASE_URL" },
        "Check DATABASE_URL and that the server accepts connections from here",
        async () => ({ version: await versionOf(url) }),
      );
}

/** Tries dbmate by its own binary, which is what the migrations run too, not by its npm script. */
export function tryDbmate(): Promise<Finding> {
  const known = { piece: "dbmate", version: dbmatePackage.version, origin: "npm package" };
  return finding(known, "Run `npm ci`", async () => {
    const { resolveBinary } = await import("dbmate");
    const { ok, output } = await runTool(resolveBinary(), ["--version"]);
    if (!ok) throw new Error(`It does not run: ${reasonOf(output, ".")}`);
    return {};
  });
}

/**
 * Whether the role of DATABASE_URL may make a role for each tenant; nothing where TENANT_ROLES is not set. The
 * embedded database's role is given that right at its start.
 */
export async function tryTenantRoles(environment: NodeJS.ProcessEnv): Promise<Finding[]> {
  const { DATABASE_URL: url, TENANT_ROLES: wanted } = environment;
  if (wanted !== "true" || url === undefined) return [];
  return [
    await finding(
      { piece: "tenant roles", origin: "DATABASE_URL" },
      "See docs/operating.md, or unset TENANT_ROLES",
      async () => {
        const { role, may } = await rightsOf(url);
        if (!may) {
          throw new Error(
            `Role ${role} needs PostgreSQL 16, CREATEROLE, and connect with grant option on the database`,
          );
        }
        return {};
      },
    ),
  ];
}

async function rightsOf(connectionString: string): Promise<{ role: string; may: boolean }> {
  return asked(
    connectionString,
    `select current_user::text as role, current_setting('server_version_num')::int >= 160000 and (rolsuper or
      rolcreaterole and has_database_privilege(current_database(), 'connect with grant option')) as may
    from pg_roles where rolname = current_user`,
  );
}

async function versionOf(connectionString: string): Promise<string> {
  const { version } = await asked<{ version: string }>(connectionString, "select version()");
  // "PostgreSQL 18.4 on x86_64-pc-linux-gnu, compiled by ..."
  return version.split(" ")[1] ?? "unknown";
}

/** The one row of a query. */
async function asked<Row extends object>(database: string, query: string): Promise<Row> {
  const url = new URL(database);
  const tls = tlsSettings(url);
  if (typeof tls === "string") throw new Error(`DATABASE_URL ${tls}`);
  // As the service does: pg takes the parameters of a URL for others than they are.
  url.search = "";
  const client = new Client({
    connectionString: url.href,
    ssl: tlsOptions(tls),
    connectionTimeoutMillis: 5000,
  });
  client.on("error", () => undefined);
  try {
    await client.connect().catch((error: unknown) => {
      throw tlsFault(error, tls.host);
    });
    const [row] = (await client.query<Row>(query)).rows;
    if (row === undefined) throw new Error("The database gave no answer");
    return row;
  } finally {
    await client.end();
  }
}

async function withTemporary<T>(use: (url: string) => Promise<T>): Promise<T> {
  const server = await startTemporaryPostgres();
  try {
    return await use(server.url);
  } finally {
    await server.stop();
  }
}
