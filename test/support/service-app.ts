import { pino, type Logger } from "pino";
import type { TenantDeclaration } from "../../program/stack";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { createApp, type AppParts } from "../../service/http/app";
import { createPermit } from "../../service/http/permit";
import type { StreamLimits } from "../../service/http/stream-places";
import { startInstance, type Instance } from "../../service/instance";
import { serveOperations, type ServedOperations } from "../../service/operations/operations";
import { redactor } from "../../service/system/redact";
import { openDatabase, type Database } from "../../service/database/database";
import { serveRollouts } from "../../service/rollouts/rollouts";
import type { EngineRuns, RunOutcome } from "../../service/pulumi/engine-runs";
import type { StepEvent } from "../../service/pulumi/steps";
import { addressOf, listen } from "../../service/http/server";
import { secretVerification, type TokenSettings } from "../../service/auth/token-settings";
import { testSecret } from "./service-tokens";

/** The service's HTTP in this process, without an engine behind it. */
export interface ServiceApp {
  readonly url: string;
  /** Every line that it logged. */
  readonly log: string[];
  /** Makes it refuse what is new. */
  stopping: boolean;
  close(): Promise<void>;
}

/** A tenant as a run is asked for it. */
export type AskedTenant = TenantDeclaration & { readonly id: string };

/** Hears how far a run is with a step of its tenant. */
export type OnStep = (event: Omit<StepEvent, "tenantId">) => void;

/** Stands in for the engine. It makes no tenant: a test says what a run does. */
export class FakeEngineRuns implements EngineRuns {
  /** The tenants that a run was asked for. */
  readonly asked: AskedTenant[] = [];
  /** What the engine's trial tells. */
  trouble: string | undefined;
  /** How often the engine was tried. */
  trials = 0;

  /**
   * @param does What a run does that declares its tenant.
   * @param ends What a run does that leaves its tenant out. Default: no run may.
   */
  constructor(
    private readonly does: (tenant: AskedTenant, onStep: OnStep) => Promise<RunOutcome>,
    private readonly ends?: (tenantId: string, onStep: OnStep) => Promise<RunOutcome>,
  ) {}

  readonly run: EngineRuns["run"] = ({ tenantId, tenants, mayDelete }, onStep) => {
    const declared = tenants.find(({ id }) => id === tenantId);
    if (declared === undefined) {
      if (this.ends === undefined || !mayDelete.includes(tenantId)) {
        throw new Error("the stack does not declare its tenant");
      }
      return this.ends(tenantId, (event) => onStep?.({ tenantId, ...event }));
    }
    const tenant = { ...declared, id: tenantId };
    this.asked.push(tenant);
    return this.does(tenant, (event) => onStep?.({ tenantId, ...event }));
  };

  readonly tryEngine = (): Promise<string | undefined> => {
    this.trials += 1;
    return Promise.resolve(this.trouble);
  };

  readonly startAhead = (): void => undefined;

  readonly close = (): Promise<void> => Promise.resolve();
}

/** An engine that nobody may ask. */
export function noEngine(): FakeEngineRuns {
  return new FakeEngineRuns(() => Promise.reject(new Error("the engine must not be asked")));
}

/** A database that nobody may ask: nothing answers there. */
export const noDatabase: Database = openDatabase("postgres://app@127.0.0.1:1/app");

/** How a test's service differs from the usual one. */
export interface ServiceAppOptions {
  readonly tokens?: Partial<TokenSettings>;
  /** How many set-ups may wait or run. */
  readonly limit?: number;
  readonly ratePerMinute?: number;
  readonly streams?: StreamLimits;
  /** How long a caller waits. */
  readonly waitMs?: number;
  /** How many days a deleted tenant is kept. Default: 30. */
  readonly purgeAfterDays?: number;
  /** Whether deleted tenants are purged by themselves. Default: true. */
  readonly purges?: boolean;
  /** Why providers are not kept running. Default: they are. */
  readonly slow?: string;
  /** What is wanted of all tenants alike. Default: this package's own migrations, and no roles. */
  readonly drift?: Partial<AppParts["drift"]>;
}

/** Starts the whole service on a free port, without an engine. */
export async function startService(
  database: Database,
  runs: FakeEngineRuns,
  options: ServiceAppOptions = {},
): Promise<ServiceApp> {
  return startServiceApp(database, runs, options, async (operations, log) => {
    const parts = { database, runs, operations, log, concurrency: 4 };
    return startInstance({
      ...parts,
      retryDelayMs: 20,
      retentionDays: 90,
      purges: options.purges ?? true,
      drift: driftOf(options),
      // The schedule would come in the middle of a test.
      driftCheckS: 0,
      rolloutConcurrency: 2,
    });
  });
}

function driftOf({ drift }: ServiceAppOptions): AppParts["drift"] {
  return { migrationsDir: tenantMigrationsDir, productRoles: [], tenantRoles: false, ...drift };
}

/** Starts the app on a free port. Nothing works on what it accepts, unless `work` starts that. */
export async function startServiceApp(
  database: Database,
  runs: FakeEngineRuns,
  {
    tokens = {},
    limit = 100,
    waitMs = 30_000,
    purgeAfterDays = 30,
    ratePerMinute = 1_000,
    streams = { perSubject: 100, total: 1_000 },
    slow,
    drift = {},
  }: ServiceAppOptions = {},
  work?: (operations: ServedOperations, log: Logger) => Promise<Instance>,
): Promise<ServiceApp> {
  const log: string[] = [];
  const redact = redactor([testSecret]);
  const logger = pino({ level: "debug" }, { write: (line: string) => void log.push(redact(line)) });
  const service = { url: "", log, stopping: false, close: () => Promise.resolve() };
  const operations = serveOperations({ database, limit, waitMs, purgeAfterDays });
  const instance = await work?.(operations, logger);
  const app = createApp({
    log: logger,
    permit: createPermit({
      ...secretVerification(testSecret),
      issuer: undefined,
      audience: undefined,
      ...tokens,
    }),
    database,
    operations,
    rollouts: serveRollouts(database, driftOf({ drift }).migrationsDir, () =>
      instance?.lookForRollouts(),
    ),
    drift: driftOf({ drift }),
    ratePerMinute,
    streams,
    tryEngine: runs.tryEngine,
    ...(instance && {
      sessionTrouble: instance.sessionTrouble,
      queueTrouble: instance.queueTrouble,
    }),
    providersTrouble: () => slow,
    isStopping: () => service.stopping,
  });
  const server = await listen(app, "127.0.0.1", 0);
  service.url = addressOf(server);
  service.close = async () => {
    await instance?.stop();
    await new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
      server.closeAllConnections();
    });
  };
  return service;
}
