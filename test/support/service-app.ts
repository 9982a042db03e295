import { pino } from "pino";
import type { TenantDeclaration } from "../../program/stack";
import { createApp } from "../../service/app";
import { createPermit } from "../../service/auth";
import { redactor } from "../../service/redact";
import type { EngineRuns, RunOutcome } from "../../service/runs/engine-runs";
import { addressOf, listen } from "../../service/server";
import { createTenantSetUp } from "../../service/setup/set-up-tenant";
import { secretVerification, type TokenSettings } from "../../service/token-settings";
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

/** Stands in for the engine. It makes no tenant: a test says what a run does. */
export class FakeEngineRuns implements EngineRuns {
  /** The tenants that a run was asked for. */
  readonly asked: TenantDeclaration[] = [];
  /** What the engine's trial tells. */
  trouble: string | undefined;
  /** How often the engine was tried. */
  trials = 0;

  constructor(private readonly does: (tenant: TenantDeclaration) => Promise<RunOutcome>) {}

  readonly run = (tenant: TenantDeclaration): Promise<RunOutcome> => {
    this.asked.push(tenant);
    return this.does(tenant);
  };

  readonly tryEngine = (): Promise<string | undefined> => {
    this.trials += 1;
    return Promise.resolve(this.trouble);
  };

  readonly close = (): Promise<void> => Promise.resolve();
}

/** An engine that nobody may ask. */
export function noEngine(): FakeEngineRuns {
  return new FakeEngineRuns(() => Promise.reject(new Error("the engine must not be asked")));
}

/** Starts the app on a free port. Its database is that of DATABASE_URL. */
export async function startServiceApp(
  runs: FakeEngineRuns,
  tokens: Partial<TokenSettings> = {},
): Promise<ServiceApp> {
  const log: string[] = [];
  const redact = redactor([testSecret]);
  const logger = pino({ level: "debug" }, { write: (line: string) => void log.push(redact(line)) });
  const service = { url: "", log, stopping: false, close: () => Promise.resolve() };
  const app = createApp({
    log: logger,
    permit: createPermit({
      ...secretVerification(testSecret),
      issuer: undefined,
      audience: undefined,
      ...tokens,
    }),
    setUp: createTenantSetUp({ runs, migrationsDir: undefined, concurrency: 4 }),
    tryEngine: runs.tryEngine,
    isStopping: () => service.stopping,
  });
  const server = await listen(app, "127.0.0.1", 0);
  service.url = addressOf(server);
  service.close = () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return service;
}
