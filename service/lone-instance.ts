import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { obtainEngine } from "../engine/obtain/obtain";
import { migrate } from "../provider/database/dbmate";
import { publicMigrationsDir, readMigrations } from "../provider/database/migrations";
import { keepConnection } from "./cluster/kept-connection";
import { deregister, newInstance, register } from "./cluster/liveness";
import { makeQueueTables } from "./cluster/queue";
import { fastest } from "./config/engine-options";
import { tenantLock } from "../provider/database/tenant-lock";
import type { Database } from "./database/database";
import { runOperation } from "./operations/run-operation";
import { isSettled, type Operation } from "./operations/store/operation";
import { findOperation } from "./operations/store/store";
import { engineEnvironment } from "./pulumi/engine-environment";
import type { EngineRuns } from "./pulumi/engine-runs";
import { startRuns } from "./pulumi/runs";
import { stacksOf } from "./pulumi/stacks/stacks";
import { makeRoot } from "./pulumi/work-dir";
import { TakenOverError } from "./system/errors";
import { endOrphans } from "./system/processes";
import type { Shutdown } from "./system/shutdown";

/** What an instance needs that runs one operation. */
export interface LoneInstanceParts {
  readonly database: Database;
  readonly databaseUrl: string;
  readonly backendUrl: string;
  readonly passphrase: string;
  readonly migrationsDir: string;
  readonly productRoles: readonly string[];
  readonly memoryMb: number;
  readonly shutdown: Shutdown;
  readonly log: Logger;
  readonly report: (line: string) => void;
}

/** An instance that takes nothing from the queue. */
export interface LoneInstance {
  /** Runs an operation to its end. Where another instance has taken it up, waits for that. */
  readonly finish: (id: string) => Promise<Operation>;
}

/** How often it is looked whether an operation has ended that another instance has taken up. */
const BETWEEN_LOOKS_MS = 500;

/** The longest time that a timer of Node can have, about 24 days: a load takes as long as it takes. */
const NO_LIMIT_MS = 2 ** 31 - 10_000;

/**
 * Starts an instance that runs one operation in this process: for work that only this machine can do. To the other
 * instances it is one of them, and should it die, they take the operation up.
 *
 * @throws DatabaseDownError; what `obtainEngine` throws.
 */
export async function startLoneInstance(parts: LoneInstanceParts): Promise<LoneInstance> {
  const { database, log, shutdown } = parts;
  endOrphans();
  await makeControlTables(parts);
  const instance = newInstance(randomUUID());
  const session = await shutdown.start(
    () =>
      keepConnection(database.settings, {
        connected: () => Promise.resolve(),
        locked: (client) => register(client, instance),
        notified: () => undefined,
      }),
    async (kept) => {
      await deregister(database.query, instance);
      await kept.close();
    },
  );
  // The others take a run's lock for nobody's whose instance they do not know.
  await session.hold(instance.id);
  const runs = await startEngine(parts, instance.id);
  const operationParts = { database, runs, log, retryDelayMs: BETWEEN_LOOKS_MS };

  async function finish(id: string): Promise<Operation> {
    for (;;) {
      const operation = await findOperation(database.query, id);
      if (operation === undefined) throw new Error(`operation ${id} is not there any more`);
      if (isSettled(operation)) return operation;
      if (await isFree(database, operation.tenantId)) {
        await runOperation(id, operationParts).catch((error: unknown) => {
          if (!(error instanceof TakenOverError)) throw error;
        });
      }
      await delay(BETWEEN_LOOKS_MS);
    }
  }
  return { finish };
}

/** As an instance of the service does: there may have been none on this database yet. */
async function makeControlTables({
  database: { settings },
  log,
}: LoneInstanceParts): Promise<void> {
  await migrate({
    database: settings,
    schemaName: "public",
    directory: publicMigrationsDir,
    files: readMigrations(publicMigrationsDir),
  });
  await makeQueueTables(settings, log);
}

/** Whether no instance works on the tenant. */
async function isFree({ transaction }: Database, tenantId: string): Promise<boolean> {
  return transaction(async (query) => {
    const [row] = await query<{ free: boolean }>(
      "select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as free",
      [tenantLock(tenantId)],
    );
    return row?.free === true;
  });
}

async function startEngine(parts: LoneInstanceParts, instanceId: string): Promise<EngineRuns> {
  const { database, shutdown, log, memoryMb, report } = parts;
  const engine = await obtainEngine(report);
  // Nothing is started ahead: there is one run.
  const engineOptions = { ...fastest, keptProviders: false, prestartedRuns: 0, spareStacks: 0 };
  const env = engineEnvironment({ ...parts, engine: engine.env, engineOptions });
  const root = await shutdown.start(makeRoot, (folder) =>
    rm(folder, { recursive: true, force: true }),
  );
  return shutdown.start(
    () =>
      startRuns({
        ...{ pulumi: engine.pulumi, env, root, engineOptions, providers: undefined, log },
        ...{ timeoutMs: NO_LIMIT_MS, memoryMb, size: 1, stacks: stacksOf(database, instanceId) },
      }),
    (started) => started.close("now"),
  );
}
