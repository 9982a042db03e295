import { Router } from "express";
import { ping } from "../database";
import { onlyMethods } from "./answers";
import { NotReadyError } from "./errors";

/** How long one try of the engine stands for all who ask, in ms: each starts a process. */
const ENGINE_TRY_LASTS = 5_000;

/** Tells what is wrong with something the service needs; undefined when it works. */
export type Trial = () => Promise<string | undefined>;

/**
 * `/healthz`: the process answers. `/readyz`: the database and the engine were tried and work, and the
 * queue answers. Without providers that are kept running, set-ups are slow, and the service is ready
 * all the same.
 */
export function healthRoutes(
  tryEngine: Trial,
  queueTrouble: () => string | undefined,
  providersTrouble: () => string | undefined,
): Router {
  const router = Router();
  const tryEngineNow = shared(tryEngine, ENGINE_TRY_LASTS);
  router
    .route("/healthz")
    .get((_request, response) => {
      response.json({ status: "ok" });
    })
    .all(onlyMethods("GET"));
  router
    .route("/readyz")
    .get(async (_request, response) => {
      const trials = { database: tryDatabase(), engine: tryEngineNow(), queue: queueTrouble() };
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

async function tryDatabase(): Promise<string | undefined> {
  return ping().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

/** One call at a time, whose answer is everybody's for a while. */
function shared<T>(work: () => Promise<T>, lasts: number): () => Promise<T> {
  let last: { readonly began: number; readonly result: Promise<T> } | undefined;
  return () => {
    // Not by the wall clock: set back, it would keep an old answer for as long.
    const now = performance.now();
    if (last === undefined || now - last.began > lasts) {
      last = { began: now, result: work() };
    }
    return last.result;
  };
}
