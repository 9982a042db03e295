import { setTimeout as delay } from "node:timers/promises";
import { Router } from "express";
import type { Database } from "../database/database";
import { onlyMethods } from "./answers";
import { NotReadyError } from "./errors";

/** How long the database may take to answer. */
const DATABASE_ANSWER_MS = 5_000;

/** How long the result of one try of the engine is reused: each try starts a process. */
const ENGINE_ANSWER_KEPT_MS = 5_000;

/** Tries something that the service needs. Resolves with what is wrong; undefined when it works. */
export type Trial = () => Promise<string | undefined>;

/** What `/readyz` checks. Each `…Trouble` gives what is wrong, and undefined while nothing is. */
export interface HealthParts {
  readonly database: Database;
  readonly tryEngine: Trial;
  readonly sessionTrouble: () => string | undefined;
  readonly queueTrouble: () => string | undefined;
  readonly providersTrouble: () => string | undefined;
}

/**
 * `/healthz` answers 200 as long as the process does. `/readyz` answers 200 when the database and the engine
 * were tried and work, and so do the session that this instance keeps open and its queue. Where providers
 * are not kept running, operations are slow, but the service is ready all the same.
 */
export function healthRoutes({
  database,
  tryEngine,
  sessionTrouble,
  queueTrouble,
  providersTrouble,
}: HealthParts): Router {
  const router = Router();
  const tryEngineNow = shared(tryEngine, ENGINE_ANSWER_KEPT_MS);
  router
    .route("/healthz")
    .get((_request, response) => {
      response.json({ status: "ok" });
    })
    .all(onlyMethods("GET"));
  router
    .route("/readyz")
    .get(async (_request, response) => {
      const trials = {
        database: tryDatabase(database, sessionTrouble),
        engine: tryEngineNow(),
        queue: queueTrouble(),
      };
      const trouble = new Map<string, string>();
      for (const [name, trial] of Object.entries(trials)) {
        const why = await trial;
        if (why !== undefined) trouble.set(name, why);
      }
      if (trouble.size > 0) throw new NotReadyError(trouble);
      const slow = providersTrouble();
      response.json({ status: "ready", ...(slow === undefined ? {} : { slow }) });
    })
    .all(onlyMethods("GET"));
  return router;
}

async function tryDatabase(
  { query }: Database,
  sessionTrouble: () => string | undefined,
): Promise<string | undefined> {
  const limit = new AbortController();
  const answer = query("select").then(sessionTrouble, (error: unknown) =>
    error instanceof Error ? error.message : String(error),
  );
  const silence = delay(DATABASE_ANSWER_MS, `no answer within ${DATABASE_ANSWER_MS} ms`, {
    signal: limit.signal,
  });
  try {
    return await Promise.race([answer, silence]);
  } finally {
    limit.abort();
  }
}

/** Calls `work` at most once in `keptMs`; all who ask within that time share the result. */
function shared<T>(work: () => Promise<T>, keptMs: number): () => Promise<T> {
  let last: { readonly began: number; readonly result: Promise<T> } | undefined;
  return () => {
    // Not by the wall clock: if that were set back by an hour, an old answer would be kept for an hour.
    const now = performance.now();
    if (last === undefined || now - last.began > keptMs) {
      last = { began: now, result: work() };
    }
    return last.result;
  };
}
