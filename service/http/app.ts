import express, { type Express } from "express";
import helmet from "helmet";
import type { Logger } from "pino";
import type { Permit } from "./permit";
import { answerErrors, notFound } from "./answers";
import { apiRoutes } from "./api";
import { UnavailableAnswer } from "./errors";
import type { Trial } from "./health";
import type { DriftParts } from "../drift/drift";
import { limitRate } from "./rate-limit";
import { routerOf } from "./route";
import { logRequests } from "./request-log";
import type { StreamLimits } from "./stream-places";
import type { Database } from "../database/database";
import type { Operations } from "../operations/operations";
import type { Rollouts } from "../rollouts/rollouts";

/** What the HTTP service needs. */
export interface AppParts {
  readonly log: Logger;
  readonly permit: Permit;
  readonly database: Database;
  readonly operations: Operations;
  readonly rollouts: Rollouts;
  /** What is wanted of all tenants alike. */
  readonly drift: Omit<DriftParts, "database" | "log">;
  /** How many operations a token's subject may ask for in a minute. */
  readonly ratePerMinute: number;
  readonly streams: StreamLimits;
  readonly tryEngine: Trial;
  /** What is wrong with the database session that this instance keeps open; undefined while it is well. */
  readonly sessionTrouble?: () => string | undefined;
  /** Why this instance takes no jobs from the queue; undefined while it does. */
  readonly queueTrouble?: () => string | undefined;
  /** Why providers are not kept running; undefined while they are, or are not meant to be. */
  readonly providersTrouble?: () => string | undefined;
  /** Whether the service is going down, and takes nothing new. */
  readonly isStopping: () => boolean;
}

/** The HTTP service, as a handler of requests. */
export function createApp({
  log,
  permit,
  database,
  operations,
  rollouts,
  drift,
  ratePerMinute,
  streams,
  tryEngine,
  sessionTrouble = () => undefined,
  queueTrouble = () => undefined,
  providersTrouble = () => undefined,
  isStopping,
}: AppParts): Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.use(logRequests(log), helmet());
  app.use((_request, response, next) => {
    response.set("Cache-Control", "no-store");
    if (isStopping())
      throw new UnavailableAnswer("Going down", 5, { headers: { Connection: "close" } });
    next();
  });
  const routes = apiRoutes({
    ...{ database, operations, rollouts, drift: { ...drift, database, log } },
    ...{ streams, tryEngine, sessionTrouble, queueTrouble, providersTrouble },
  });
  app.use(routerOf(routes, { permit, limited: limitRate(ratePerMinute) }));
  app.use(notFound);
  app.use(answerErrors);
  return app;
}
