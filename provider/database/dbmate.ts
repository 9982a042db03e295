import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Semaphore } from "async-mutex";
import type { ClientBase } from "pg";
import { assertUnedited, keepDigests, pendingFiles } from "./applied";
import { MigrationFailedError } from "../contract/errors";
import { refuseLost } from "./lost-data";
import type { MigrationDigests } from "./migrations";
import { withSessionLock } from "./pool";
import { dbmateUrl, settingsOf, type DatabaseAddress } from "./settings";

/** Where migrations run, and which. */
export interface MigrationRun {
  readonly database: DatabaseAddress;
  /** The schema they run in; also the only one on the search path. */
  readonly schemaName: string;
  /** The folder they are in. */
  readonly directory: string;
  /** The files that must be applied at the end. */
  readonly files: MigrationDigests;
  /** Whether a schema whose tables are gone is made anew, empty. Default: `false`. */
  readonly recreate?: boolean;
}

/** How often it is asked what dbmate's session does, in ms. */
const BETWEEN_LOOKS = 5_000;

/** How long dbmate may have no session that does anything, in ms. It does little between statements. */
const QUIET = 15_000;

// Each takes two connections for as long as it runs, and PostgreSQL has a hundred.
const turns = new Semaphore(8);

/**
 * Applies what is missing, by dbmate, one process at a time for each schema. Starts nothing where all
 * is applied already.
 *
 * @throws {@link MigrationFailedError} with the file's name and PostgreSQL's message;
 * {@link DataGoneError} where the schema was migrated before and nothing of that is left.
 */
export async function migrate(run: MigrationRun): Promise<void> {
  await turns.runExclusive(() =>
    withSchemaLock(run, async (client) => {
      const { schemaName, files, recreate } = run;
      await refuseLost(client, schemaName, recreate);
      const onRecord = await assertUnedited(client, schemaName, files);
      const isCurrent = (await pendingFiles(client, schemaName, files)).length === 0;
      const fault = isCurrent ? undefined : await runDbmate(run, client);
      // A run that was killed just after dbmate did not come to it.
      if (!isCurrent || onRecord < Object.keys(files).length) {
        await keepDigests(client, schemaName, files);
      }
      if (fault !== undefined) throw await failure(client, run, fault);
    }),
  );
}

/**
 * Holds a lock on the schema while `work` runs: dbmate takes none of its own, and two at once run the
 * same file twice.
 */
async function withSchemaLock(
  { database, schemaName }: MigrationRun,
  work: (client: ClientBase) => Promise<void>,
): Promise<void> {
  // As long as it takes: who holds it may be at a long migration.
  await withSessionLock(database, `pulumi-tenant migrations ${schemaName}`, 0, async (client) => {
    await endOrphans(client, schemaName);
    await work(client);
  });
}

/**
 * Ends what a killed run left: its lock went with it, while its migration may still be at work in the
 * server. The lock is ours, so every session of that name is an orphan.
 */
async function endOrphans(client: ClientBase, schemaName: string): Promise<void> {
  for (;;) {
    const { rowCount } = await client.query(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity
      where application_name = $1 and datname = current_database()`,
      [sessionName(schemaName)],
    );
    if (rowCount === 0) return;
  }
}

/** PostgreSQL cuts a session's name at 63 bytes, and a schema's name may be as long as that. */
function sessionName(schemaName: string): string {
  const digest = createHash("sha256").update(schemaName).digest("hex").slice(0, 32);
  return `pulumi-tenant migrations ${digest}`;
}

/**
 * Runs the child to its end; gives what went wrong, if anything did.
 *
 * @param client Holds the lock on the schema.
 */
async function runDbmate(run: MigrationRun, client: ClientBase): Promise<string | undefined> {
  const { resolveBinary } = await import("dbmate");
  const { PGPASSWORD } = process.env;
  const settings = settingsOf(run.database);
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
        DBMATE_URL: dbmateUrl(settings, run.schemaName, sessionName(run.schemaName)),
        ...(PGPASSWORD === undefined ? {} : { PGPASSWORD }),
        ...instanceMark(),
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let output = "";
  const keep = (chunk: Buffer) => (output = (output + chunk.toString()).slice(-20_000));
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const ended = new AbortController();
  void endWhenQuiet(child, client, run.schemaName, ended.signal);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(
    (resolve, reject) => {
      child.once("error", reject).once("close", (...end) => resolve(end));
    },
  ).finally(() => ended.abort());
  if (code === 0) return undefined;
  return signal
    ? `dbmate was ended by ${signal}; run again`
    : `${explain(output)}; mend it and run again`;
}

/**
 * Ends dbmate when its connection has gone silent, for which it would wait a quarter of an hour: the
 * server has waited for it for long then, or has no session of it. It is ended as well when the lock is
 * lost, as somebody else may have it by now.
 */
async function endWhenQuiet(
  child: ChildProcess,
  client: ClientBase,
  schemaName: string,
  ended: AbortSignal,
): Promise<void> {
  let heard = performance.now();
  const isQuiet = async () => {
    const { rowCount } = await client.query(
      `select from pg_stat_activity where application_name = $1 and datname = current_database()
      and (state = 'active' or state_change > clock_timestamp() - $2 * interval '1 ms')`,
      [sessionName(schemaName), BETWEEN_LOOKS],
    );
    if (rowCount !== 0) heard = performance.now();
    return performance.now() - heard > QUIET;
  };
  do {
    await delay(BETWEEN_LOOKS, undefined, { signal: ended, ref: false }).catch(() => undefined);
    if (ended.aborted) return;
  } while (!(await isQuiet().catch(() => true)));
  child.kill("SIGKILL");
}

/** Whoever supervises this process finds dbmate by it, should this process be killed. */
function instanceMark(): Record<string, string> {
  const { PULUMI_TENANT_INSTANCE: mark } = process.env;
  return mark === undefined ? {} : { PULUMI_TENANT_INSTANCE: mark };
}

async function failure(
  client: ClientBase,
  { schemaName, files }: MigrationRun,
  fault: string,
): Promise<MigrationFailedError> {
  const total = Object.keys(files).length;
  const pending = await pendingFiles(client, schemaName, files);
  return new MigrationFailedError(
    `migration ${pending[0] ?? "run"} failed in schema ${schemaName}: ${fault}. ` +
      `${total - pending.length} of ${total} are applied and stay`,
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
