import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { runRollout } from "../../fleet/rollout/run";
import type { Database } from "../database/database";
import { lookSoon } from "../drift/look";
import { letOperationsPass } from "./let-pass";
import { findRollout } from "./read";

/** How often an instance looks whether there is a rollout to run, that another instance has begun. */
const BETWEEN_LOOKS_MS = 2_000;

/** The pause after a run that failed, such as over a database that is down. */
const AFTER_FAILURE_MS = 10_000;

/** How many failed tenants the log names. */
const NAMED = 20;

/** What an instance needs to run rollouts. */
export interface RolloutRunnerParts {
  readonly database: Database;
  /** The folder with the files that are rolled out. */
  readonly migrationsDir: string;
  /** How many tenants it migrates at once. */
  readonly rolloutConcurrency: number;
  readonly log: Logger;
}

/** Runs the rollouts that the service has begun, beside the other instances. */
export interface RolloutRunner {
  /** Looks at once, not only when it is time. */
  readonly look: () => void;
  /** Ends what is at work, begins nothing else, and resolves when that has ended. */
  readonly stop: () => Promise<void>;
}

/**
 * Starts to look for rollouts. One whose instances died goes on as soon as an instance lives: its row says that it is
 * running, and what the dead ones had is given back.
 */
export function runRollouts(parts: RolloutRunnerParts): RolloutRunner {
  const { log } = parts;
  const stop = new AbortController();
  let wake = new AbortController();
  const pause = async (ms: number) => {
    wake = new AbortController();
    if (stop.signal.aborted) return;
    await delay(ms, undefined, { signal: wake.signal }).catch(() => undefined);
  };
  const keepLooking = async () => {
    let said: string | undefined;
    while (!stop.signal.aborted) {
      try {
        await runIfAny(parts, stop.signal);
        said = undefined;
        await pause(BETWEEN_LOOKS_MS);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        // Once, and not every ten seconds for as long as it is so.
        if (reason !== said) log.warn({ reason }, "the rollout is not run by this instance now");
        said = reason;
        await pause(AFTER_FAILURE_MS);
      }
    }
  };
  const looking = keepLooking();
  return {
    look: () => wake.abort(),
    async stop() {
      stop.abort();
      wake.abort();
      await looking;
    },
  };
}

async function runIfAny(parts: RolloutRunnerParts, stop: AbortSignal): Promise<void> {
  const { database, migrationsDir: directory, rolloutConcurrency: concurrency, log } = parts;
  const [begun] = await database.query<{ id: string }>(
    "select id from public.rollouts where status = 'running' and is_served",
  );
  if (begun === undefined) return;
  const { id: rollout } = begun;
  log.info({ rollout }, "tenants are being migrated");
  const letPass = () => letOperationsPass(database.query, { stop });
  await runRollout({ database: database.settings, directory, concurrency, stop, letPass }, rollout);
  const end = await findRollout(database.query, rollout);
  if (end === undefined) return;
  // Tenants with the same files have the same tables: the look names those that have not.
  if (end.status !== "running") await lookSoon(database.query);
  const { status, tenants, done, failed, failures } = end;
  for (const { slug, message } of failures.slice(0, NAMED)) {
    log.warn({ rollout, tenant: slug, reason: message }, "the tenant was not migrated");
  }
  const words =
    status === "running" ? "this instance has left the rollout" : "the rollout runs no more";
  log[failed > 0 ? "warn" : "info"]({ rollout, status, tenants, done, failed }, words);
}
