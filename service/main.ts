/** The service's process: `npm start`, or `node dist/service/main.js`. */
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import type { Logger } from "pino";
import { lockInstance } from "../engine/postgres/data-lock";
import { obtainEngine, type Engine } from "../engine/obtain/obtain";
import { startEmbeddedPostgres } from "../engine/postgres/embedded";
import { keepProviders, type KeptProviders } from "../engine/providers/kept-providers";
import { migrate } from "../provider/database/dbmate";
import { withConnection } from "../provider/database/pool";
import { assertProductRoles } from "../provider/database/product-roles";
import { publicMigrationsDir, readMigrations } from "../provider/database/migrations";
import { unverified } from "../provider/database/settings";
import { assertMayIsolate } from "../provider/database/owner-role";
import { providerTexts } from "../provider/resources/dynamic";
import { createApp } from "./http/app";
import { createPermit } from "./http/permit";
import { stateFolder } from "./config/backend-url";
import { readServiceConfig, type Config } from "./config/config";
import { openDatabase, type Database } from "./database/database";
import { codeOf } from "./system/error-code";
import { EngineDownError, UnavailableError } from "./system/errors";
import { startInstance } from "./instance";
import { createLog } from "./system/log";
import { serveOperations } from "./operations/operations";
import { redactor } from "./system/redact";
import { engineEnvironment, providerEnvironments } from "./pulumi/engine-environment";
import { startRuns } from "./pulumi/runs";
import { makeRoot, makeWorkDir } from "./pulumi/work-dir";
import { addressOf, checkPort, closeServer, listen } from "./http/server";
import { Shutdown } from "./system/shutdown";
import { stacksOf } from "./pulumi/stacks/stacks";
import { migrateOnStart } from "./rollouts/on-start";
import { serveRollouts } from "./rollouts/rollouts";
import { sayWelcome } from "./welcome";

/** The pause before the first retry of an operation whose failure may be temporary. */
const RETRY_DELAY_MS = 500;

type Report = (line: string) => void;

/** Redacts the secrets that are known so far. */
let redact = redactor([]);
/** Reports an error to the operator: on stderr, and from the moment that the log is there in the log. */
let complain = (error: unknown): void => console.error(redact(inOneLine(error)));
const shutdown = new Shutdown((error) => complain(error));
shutdown.listen();
process.on("uncaughtException", (error) => {
  complain(error);
  void endWithFailure();
});
start().catch((error: unknown) => {
  // After a signal the start fails because its parts are being stopped, which is no fault to report.
  if (!shutdown.begun) complain(error);
  return endWithFailure();
});

async function endWithFailure(): Promise<void> {
  await shutdown.end();
  process.exit(1);
}

async function start(): Promise<void> {
  const config = readServiceConfig(process.env);
  const out = config.databaseUrl === undefined ? process.stdout : process.stderr;
  const report: Report = (line) => out.write(`${line}\n`);

  await checkPort(config.host, config.port);
  const engine = await obtainEngine(report);
  const databaseUrl = config.databaseUrl ?? (await startDatabase(config, report));
  const database = openDatabase(databaseUrl);
  redact = redactor(secretsOf(config, databaseUrl));
  await database.query("select");
  if (config.tenantRoles) await assertMayIsolate(database.settings);
  await applyPublicMigrations(database, report);
  await withConnection(database.settings, (client) =>
    assertProductRoles(client, config.productRoles),
  );

  const log = createLog(config.logLevel, redact);
  const warning = unverified(database.settings, "DATABASE_URL");
  if (warning !== undefined) log.warn(warning);
  const { backendUrl, passphrase, concurrency, migrationsDir, engineOptions } = config;
  const env = engineEnvironment({
    engine: engine.env,
    databaseUrl,
    backendUrl,
    passphrase,
    migrationsDir,
    engineOptions,
    productRoles: config.productRoles,
  });
  const instanceId = randomUUID();
  const root = await shutdown.start(makeRoot, (directory) =>
    rm(directory, { recursive: true, force: true }),
  );
  const providers = engineOptions.keptProviders
    ? await startProviders(engine, env, root, log)
    : undefined;
  const runs = await shutdown.start(
    () =>
      startRuns({
        ...{ pulumi: engine.pulumi, env, root, engineOptions, providers, log },
        ...{ timeoutMs: config.timeoutMs, memoryMb: config.memoryMb },
        size: concurrency,
        stacks: stacksOf(database, instanceId),
      }),
    (started) => started.close("finished"),
    (started) => void started.close("now"),
  );
  // Twice: of two instances whose CLIs create the table of a `postgres://` backend at once, one fails once.
  const trouble = (await runs.tryEngine()) && (await runs.tryEngine());
  if (trouble !== undefined) throw new EngineDownError(trouble);

  complain = (error) => {
    const foreseen = error instanceof UnavailableError;
    log.fatal(error, foreseen ? error.message : "unexpected: the service ends");
  };
  const operations = serveOperations({
    database,
    limit: config.queueLimit,
    purgeAfterDays: config.purgeAfterDays,
    waitMs: config.waitMs,
  });
  const drift = {
    migrationsDir,
    productRoles: config.productRoles,
    tenantRoles: config.tenantRoles,
  };
  const parts = {
    id: instanceId,
    database,
    runs,
    concurrency,
    retentionDays: config.retentionDays,
    purges: config.purges,
    drift,
    driftCheckS: config.driftCheckS,
    rolloutConcurrency: config.rolloutConcurrency,
    operations,
    log,
    retryDelayMs: RETRY_DELAY_MS,
  };
  const instance = await shutdown.start(
    () => startInstance(parts),
    (started) => started.stop(),
  );
  const rollouts = serveRollouts(database, migrationsDir, instance.lookForRollouts);
  await migrateOnStart(rollouts, config.migrateOnStart, log);
  const permit = createPermit(config.tokens);
  const isStopping = () => shutdown.begun;
  const app = createApp({
    ...{ log, permit, database, operations, rollouts, drift, isStopping },
    ratePerMinute: config.rateLimit,
    streams: config.streams,
    tryEngine: runs.tryEngine,
    sessionTrouble: instance.sessionTrouble,
    queueTrouble: instance.queueTrouble,
    providersTrouble: () => providers?.trouble(),
  });
  const server = await shutdown.start(
    () => listen(app, config.host, config.port),
    (listening) => {
      log.info("going down: what runs is finished, nothing new begins");
      return closeServer(listening, () => instance.stop());
    },
  );

  log.info({ address: addressOf(server) }, "listening");
  if (config.databaseUrl === undefined) sayWelcome(addressOf(server), config, report);
}

/** Embedded mode: starts a PostgreSQL of our own in the data folder, and gives its URL. */
async function startDatabase(
  { dataDir, backendUrl, tenantRoles: makesRoles }: Config,
  report: Report,
): Promise<string> {
  await shutdown.start(
    () => lockInstance(dataDir),
    (lock) => lock.release(),
  );
  const state = stateFolder(backendUrl);
  if (state !== undefined) mkdirSync(state, { recursive: true, mode: 0o700 });
  const { url } = await shutdown.start(
    () => startEmbeddedPostgres({ directory: path.join(dataDir, "postgres"), report, makesRoles }),
    (postgres) => postgres.stop(),
  );
  return url;
}

/** Starts the providers that are kept running; engine runs attach to them. */
function startProviders(
  engine: Engine,
  env: NodeJS.ProcessEnv,
  root: string,
  log: Logger,
): Promise<KeptProviders> {
  const report: Report = (line) => log.warn(line);
  return shutdown.start(
    () =>
      keepProviders({
        ...{ engine, report, cwd: makeWorkDir(root), code: providerTexts },
        env: providerEnvironments(env),
      }),
    (kept) => kept.stop(),
  );
}

/** Applies the control tables' migrations. Of instances that start at once, one does it and the others wait. */
async function applyPublicMigrations(database: Database, report: Report): Promise<void> {
  report("database: applying the migrations of the public schema");
  await migrate({
    database: database.settings,
    schemaName: "public",
    directory: publicMigrationsDir,
    files: readMigrations(publicMigrationsDir),
  });
}

/** The texts that the log must never show. */
function secretsOf(config: Config, databaseUrl: string): (string | undefined)[] {
  const { key } = config.tokens;
  const secret = key.type === "secret" ? key.export().toString() : undefined;
  const urls = [databaseUrl, config.backendUrl].filter((url) => URL.canParse(url));
  const passwords = urls.map((url) => decodeURIComponent(new URL(url).password));
  return [secret, config.passphrase, ...passwords];
}

/** The message alone for errors with a name or a code of their own; with the stack trace for all others. */
function inOneLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === "Error" && codeOf(error) === undefined
    ? (error.stack ?? error.message)
    : error.message;
}
