import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { ClientBase } from "pg";
import { dbmateUrl, type SessionLimits } from "./client-config";
import { detailOf, sqlstateOf } from "./postgres-error";
import type { ConnectionSettings } from "./settings";

/** How often it is looked up what dbmate's session does. */
const LOOK_INTERVAL_MS = 5_000;

/** How long dbmate may have no session at work. Between two statements it needs milliseconds. */
const QUIET_LIMIT_MS = 15_000;

/** What dbmate is started with. */
export interface DbmateRun {
  /** `rollback` undoes the newest version that is applied. */
  readonly command: "migrate" | "rollback";
  /** As whom it logs in. */
  readonly settings: ConnectionSettings;
  readonly schemaName: string;
  readonly directory: string;
  /** What its session may not take longer for; by default what the server and the role say. */
  readonly limits?: SessionLimits | undefined;
}

/** How a run of dbmate failed. */
export interface DbmateFault {
  /** In words, with no URL in it. */
  readonly message: string;
  /** PostgreSQL's code of the error, where it is PostgreSQL's. */
  readonly sqlstate?: string | undefined;
}

/**
 * Runs a command of dbmate to its end.
 *
 * @param client Holds the lock on the schema.
 * @returns what went wrong; undefined where nothing did.
 */
export async function runDbmate(
  run: DbmateRun,
  client: ClientBase,
): Promise<DbmateFault | undefined> {
  const { resolveBinary } = await import("dbmate");
  const { PGPASSWORD } = process.env;
  const child = spawn(
    // Not dbmate's cli.js, which exits with 0 when the binary is killed.
    resolveBinary(),
    [
      // An empty env file, because dbmate would otherwise read .env of the folder it is started in.
      ...["--env", "DBMATE_URL", "--env-file", "/dev/null", "--no-dump-schema"],
      ...["--migrations-dir", run.directory, "--migrations-table", "schema_migrations"],
      run.command,
    ],
    {
      env: {
        DBMATE_URL: dbmateUrl(
          run.settings,
          run.schemaName,
          sessionName(run.schemaName),
          run.limits,
        ),
        // For PostgreSQL's DETAIL and HINT. What it prints stays in this process: see detailOf.
        PQGO_DEBUG: "1",
        ...(PGPASSWORD === undefined || run.settings.password !== undefined ? {} : { PGPASSWORD }),
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
  return signal ? { message: `dbmate was ended by ${signal}; run again` } : explain(output);
}

/**
 * The `application_name` of dbmate's session while it migrates a schema. It has the schema's name as a
 * digest: PostgreSQL cuts an application's name at 63 bytes, and a schema's may be as long as that.
 */
export function sessionName(schemaName: string): string {
  const digest = createHash("sha256").update(schemaName).digest("hex").slice(0, 32);
  return `pulumi-tenant migrations ${digest}`;
}

/**
 * Kills dbmate when its connection has gone silent, which dbmate itself would notice after a quarter of
 * an hour. The server shows it: dbmate's session has done nothing for a while, or there is none. Kills it
 * too when `client` fails, because the lock on the schema went with it and another run may have the lock.
 */
async function endWhenQuiet(
  child: ChildProcess,
  client: ClientBase,
  schemaName: string,
  ended: AbortSignal,
): Promise<void> {
  let busyAtMs = performance.now();
  const isQuiet = async () => {
    const { rowCount } = await client.query(
      `select from pg_stat_activity where application_name = $1 and datname = current_database()
      and (state = 'active' or state_change > clock_timestamp() - $2 * interval '1 ms')`,
      [sessionName(schemaName), LOOK_INTERVAL_MS],
    );
    if (rowCount !== 0) busyAtMs = performance.now();
    return performance.now() - busyAtMs > QUIET_LIMIT_MS;
  };
  do {
    await delay(LOOK_INTERVAL_MS, undefined, { signal: ended, ref: false }).catch(() => undefined);
    if (ended.aborted) return;
  } while (!(await isQuiet().catch(() => true)));
  child.kill("SIGKILL");
}

/** Hands on the variable by which the service finds what a killed process of its own has left running. */
function instanceMark(): Record<string, string> {
  const { PULUMI_TENANT_INSTANCE: mark } = process.env;
  return mark === undefined ? {} : { PULUMI_TENANT_INSTANCE: mark };
}

/** The last error that dbmate printed, with what PostgreSQL said of it besides, and without any URL. */
function explain(output: string): DbmateFault {
  const line = output
    .split("\n")
    .filter((text) => text.startsWith("Error:"))
    .at(-1);
  const said =
    line === undefined ? "dbmate failed without a message" : line + detailOf(output, line);
  const words = said
    .replace(/^Error:\s*/, "")
    .replace(/\b[a-z]+:\/\/\S+/gi, "(URL)")
    .trim();
  return {
    message: `${words}; mend it and run again`,
    sqlstate: line === undefined ? undefined : sqlstateOf(output, line),
  };
}
