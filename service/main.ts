/** The service's process: `npm start`, or `node dist/service/main.js`. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { lockInstance } from "../engine/instance-lock";
import { obtainEngine } from "../engine/obtain";
import { startEmbeddedPostgres } from "../engine/postgres/embedded";
import { migrate } from "../provider/database/dbmate";
import { publicMigrationsDir, readMigrations } from "../provider/database/migrations";
import { DEFAULT_URL_VARIABLE } from "../provider/database/settings";
import { createApp } from "./app";
import { createPermit } from "./auth";
import { stateFolder } from "./backend";
import { readConfig, type Config } from "./config";
import { ping } from "./database";
import { codeOf } from "./error-code";
import { EngineDownError } from "./errors";
import { startInstance } from "./instance";
import { createLog } from "./log";
import { serveOperations } from "./operations/operations";
import { redactor } from "./redact";
import { engineEnvironment } from "./runs/environment";
import { startHosts } from "./runs/hosts";
import { addressOf, checkPort, closeServer, listen } from "./server";
import { Shutdown, StoppedError } from "./shutdown";
import { sayWelcome } from "./welcome";

/** How long a set-up that failed for a reason that may heal is left alone first, in ms. */
const RETRY_DELAY = 500;

type Report = (line: string) => void;

const shutdown = new Shutdown();
shutdown.listen();
start().catch(async (error: unknown) => {
  if (!(error instanceof StoppedError)) console.error(inOneLine(error));
  await shutdown.end();
  process.exit(1);
});

async function start(): Promise<void> {
  const config = readConfig(process.env);
  const out = config.databaseUrl === undefined ? process.stdout : process.stderr;
  const report: Report = (line) => out.write(`${line}\n`);

  await checkPort(config.host, config.port);
  const engine = await obtainEngine(report);
  const databaseUrl = config.databaseUrl ?? (await startDatabase(config, report));
  // Where the library, in this process too, looks for it.
  process.env[DEFAULT_URL_VARIABLE] = databaseUrl;
  await applyPublicMigrations(report);

  const { backendUrl, passphrase, concurrency, migrationsDir } = config;
  const runs = startHosts({
    pulumi: engine.pulumi,
    env: engineEnvironment({ engine: engine.env, databaseUrl, backendUrl, passphrase }),
    size: concurrency,
    timeout: config.timeout,
    memory: config.memory,
  });
  await shutdown.add(
    () => runs.close("finished"),
    () => void runs.close("now"),
  );
  const trouble = await runs.tryEngine();
  if (trouble !== undefined) throw new EngineDownError(trouble);

  const log = createLog(config.logLevel, redactor(secretsOf(config, databaseUrl)));
  process.on("uncaughtException", (error) => {
    log.fatal(error, "unexpected: the service ends");
    void shutdown.end().then(() => process.exit(1));
  });
  const operations = serveOperations({ limit: config.queueLimit, wait: config.wait });
  const parts = { runs, migrationsDir, concurrency, operations, log, retryDelay: RETRY_DELAY };
  const instance = await startInstance(parts);
  const ended = once(instance.stop);
  await shutdown.add(ended);
  const permit = createPermit(config.tokens);
  const isStopping = () => shutdown.begun;
  const app = createApp({
    ...{ log, permit, operations, isStopping },
    ratePerMinute: config.rateLimit,
    tryEngine: runs.tryEngine,
  });
  const server = await listen(app, config.host, config.port);
  await shutdown.add(async () => {
    log.info("going down: what runs is finished, nothing new begins");
    await closeServer(server, ended);
  });

  log.info({ address: addressOf(server) }, "listening");
  if (config.databaseUrl === undefined) sayWelcome(addressOf(server), config, report);
}

/** Embedded mode: a PostgreSQL of our own, whose data stays in the data folder. */
async function startDatabase({ dataDir, backendUrl }: Config, report: Report): Promise<string> {
  const lock = await lockInstance(dataDir);
  await shutdown.add(() => lock.release());
  const state = stateFolder(backendUrl);
  if (state !== undefined) mkdirSync(state, { recursive: true, mode: 0o700 });
  const postgres = await startEmbeddedPostgres({
    directory: path.join(dataDir, "postgres"),
    report,
  });
  await shutdown.add(() => postgres.stop());
  return postgres.url;
}

/** Instances that start at once take turns in it. */
async function applyPublicMigrations(report: Report): Promise<void> {
  await ping();
  report("database: applying the migrations of the public schema");
  await migrate({
    urlEnv: DEFAULT_URL_VARIABLE,
    schemaName: "public",
    directory: publicMigrationsDir,
    files: readMigrations(publicMigrationsDir),
  });
}

/** The work is done at the first call, and all calls wait for it. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}

function secretsOf(config: Config, databaseUrl: string): (string | undefined)[] {
  const { key } = config.tokens;
  const secret = key.type === "secret" ? key.export().toString() : undefined;
  return [secret, config.passphrase, decodeURIComponent(new URL(databaseUrl).password)];
}

/** A failure that names itself needs no stack; what nobody foresaw does. */
function inOneLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === "Error" && codeOf(error) === undefined
    ? (error.stack ?? error.message)
    : error.message;
}
