import { spawn } from "node:child_process";
import type { PoolClient } from "pg";
import { MigrationFailedError } from "./errors";
import { migrationVersion, type MigrationDigests } from "./migrations";
import { isDatabaseError, withConnection } from "./pool";
import { connectionSettings, dbmateUrl } from "./settings";

/** Where migrations run, and which. */
export interface MigrationRun {
  /** Environment variable with the database's URL. */
  readonly urlEnv: string | undefined;
  /** The schema they run in; also the only one on the search path. */
  readonly schemaName: string;
  /** The folder they are in. */
  readonly directory: string;
  /** The files that must be applied at the end. */
  readonly files: MigrationDigests;
}

/**
 * Applies what is missing, by dbmate, one process at a time for each schema. Starts nothing where all
 * is applied already.
 *
 * @throws {@link MigrationFailedError} with the file's name and PostgreSQL's message.
 */
export async function migrate(run: MigrationRun): Promise<void> {
  await withConnection(run.urlEnv, async (client) => {
    // dbmate takes no lock of its own: two at once run the same file twice.
    await client.query("select pg_advisory_lock(hashtextextended($1, 0))", [
      lockName(run.schemaName),
    ]);
    try {
      if ((await pending(client, run)).length === 0) return;
      const fault = await runDbmate(run);
      if (fault !== undefined) throw await failure(client, run, fault);
    } finally {
      await client.query("select pg_advisory_unlock(hashtextextended($1, 0))", [
        lockName(run.schemaName),
      ]);
    }
  });
}

/**
 * The versions applied in a schema, oldest first; undefined where the schema is not there.
 */
export async function appliedVersions(
  client: PoolClient,
  schemaName: string,
): Promise<string[] | undefined> {
  const found = await client.query("select from pg_namespace where nspname = $1", [schemaName]);
  if (found.rowCount === 0) return undefined;
  try {
    const { rows } = await client.query<{ version: string }>(
      `select version from ${client.escapeIdentifier(schemaName)}.schema_migrations order by version`,
    );
    return rows.map((row) => row.version);
  } catch (error) {
    if (isDatabaseError(error, "42P01")) return []; // undefined_table: dbmate never ran here
    throw error;
  }
}

async function pending(client: PoolClient, run: MigrationRun): Promise<string[]> {
  const applied = new Set(await appliedVersions(client, run.schemaName));
  return Object.keys(run.files).filter((file) => !applied.has(migrationVersion(file)));
}

function lockName(schemaName: string): string {
  return `pulumi-tenant migrations ${schemaName}`;
}

/** Runs the child to its end; gives what went wrong, if anything did. */
async function runDbmate(run: MigrationRun): Promise<string | undefined> {
  const { resolveBinary } = await import("dbmate");
  const child = spawn(
    // The binary itself: dbmate's cli.js exits 0 when the binary is killed.
    resolveBinary(),
    [
      // An env file that is empty, or dbmate reads .env of whatever folder it is started in.
      ...["--env", "DBMATE_URL", "--env-file", "/dev/null", "--no-dump-schema"],
      ...["--migrations-dir", run.directory, "--migrations-table", "schema_migrations"],
      "migrate",
    ],
    {
      env: {
        DBMATE_URL: dbmateUrl(connectionSettings(run.urlEnv), run.schemaName),
        ...instanceMark(),
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let output = "";
  const keep = (chunk: Buffer) => (output = (output + chunk.toString()).slice(-20_000));
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(
    (resolve, reject) => {
      child.once("error", reject).once("close", (...end) => resolve(end));
    },
  );
  if (code === 0) return undefined;
  return signal ? `dbmate was ended by ${signal}` : explain(output);
}

/** Whoever supervises this process finds dbmate by it, should this process be killed. */
function instanceMark(): Record<string, string> {
  const { PULUMI_TENANT_INSTANCE: mark } = process.env;
  return mark === undefined ? {} : { PULUMI_TENANT_INSTANCE: mark };
}

async function failure(
  client: PoolClient,
  run: MigrationRun,
  fault: string,
): Promise<MigrationFailedError> {
  const total = Object.keys(run.files).length;
  const left = await pending(client, run);
  return new MigrationFailedError(
    `migration ${left[0] ?? "run"} failed in schema ${run.schemaName}: ${fault}. ` +
      `${total - left.length} of ${total} are applied and stay; mend the file and run again`,
  );
}

/** dbmate's own words for the fault, without its progress and without any URL. */
function explain(output: string): string {
  const line = output
    .split("\n")
    .filter((text) => text.startsWith("Error:"))
    .at(-1);
  return (line ?? "dbmate failed without a message")
    .replace(/^Error:\s*/, "")
    .replace(/\b[a-z]+:\/\/\S+/gi, "(URL)")
    .trim();
}
