import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { Database } from "../database/database";
import { NotReadyError } from "./errors";
import type { Route } from "./route";

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
}: HealthParts): Route[] {
  const tryEngineNow = shared(tryEngine, ENGINE_ANSWER_KEPT_MS);
  return [
    {
      ...{ name: "getHealth", method: "get", path: "/healthz", permission: "NO_TOKEN" },
      summary: "Whether the process serves.",
      answers: { 200: { description: "It does.", schema: healthView } },
      handlers: [
        (_request, response) => {
          response.json({ status: "ok" } satisfies z.infer<typeof healthView>);
        },
      ],
    },
    {
      ...{ name: "getReadiness", method: "get", path: "/readyz", permission: "NO_TOKEN" },
      summary: "Whether database, engine, queue and this instance's session work.",
      answers: { 200: { description: "They do.", schema: readyView } },
      handlers: [
        async (_request, response) => {
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
          const ready = { status: "ready", ...(slow === undefined ? {} : { slow }) } as const;
          response.json(ready satisfies z.infer<typeof readyView>);
        },
      ],
    },
  ];
}

const healthView = z.strictObject({ status: z.literal("ok") });

const readyView = z.strictObject({
  status: z.literal("ready"),
  slow: z.string().optional().describe("Why operations take longer than they need to."),
});

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
