import { Router, type Request, type RequestHandler } from "express";
import { z } from "zod";
import { orders, usualOptions } from "../../fleet/rollout/rollout";
import { rules } from "../../provider/contract/rules";
import type { RolloutDetails } from "../rollouts/read";
import type { Rollouts } from "../rollouts/rollouts";
import { onlyMethods } from "./answers";
import { parseBody, parseInput, takeBodyIfAny } from "./body";
import { cursorText, makeCursor, readCursor, timePlace } from "./cursor";
import { HttpError } from "./errors";
import { limit, withoutParameters } from "./list-parameters";
import type { Permit } from "./permit";
import { sendEvents, type StateEvent } from "./server-sent-events";
import type { StreamPlaces } from "./stream-places";

/** The greatest that PostgreSQL takes for a time limit. */
const MOST_MS = 2 ** 31 - 1;

const { owner, order, canary, maxFailures } = usualOptions;
const { lockTimeoutMs, statementTimeoutMs, lockRetries } = usualOptions;

const rolloutRequest = z.strictObject({
  owner: rules.owner.default(owner),
  only: z.array(rules.slug).max(1_000, "must have at most 1000 slugs").default([]),
  order: z.enum(orders, `must be of ${orders.join(", ")}`).default(order),
  canary: z.int().min(0).max(1_000_000).default(canary),
  maxFailures: z.int().min(1).max(1_000_000).nullable().default(maxFailures),
  lockTimeoutMs: z.int().min(1).max(MOST_MS).default(lockTimeoutMs),
  statementTimeoutMs: z.int().min(1).max(MOST_MS).default(statementTimeoutMs),
  lockRetries: z.int().min(0).max(1_000_000).default(lockRetries),
});

const rolloutsRequest = z.strictObject({ limit, cursor: cursorText.optional() });

const noFields = z.strictObject({});

/**
 * `/api/rollouts`: the migrations of many tenants at once. All of it needs MIGRATE_TENANTS, because what PostgreSQL says
 * of a failed migration may hold a tenant's data.
 */
export function rolloutRoutes(permit: Permit, rollouts: Rollouts, places: StreamPlaces): Router {
  const router = Router();
  const allowed = permit("MIGRATE_TENANTS");
  const find = async (request: Request): Promise<RolloutDetails> => {
    const { id } = parseInput(z.object({ id: rules.id }), request.params);
    const rollout = await rollouts.find(id);
    if (rollout === undefined) throw new HttpError(404, "There is no such rollout");
    return rollout;
  };
  /** Handles a request that steers a rollout, and answers with it as it is then. */
  const steer = (change: (id: string) => Promise<void>): RequestHandler[] => [
    takeBodyIfAny,
    allowed,
    withoutParameters,
    async (request, response) => {
      parseBody(noFields, request.body);
      await change((await find(request)).id);
      response.json(await find(request));
    },
  ];

  router
    .route("/")
    .get(allowed, async (request, response) => {
      const { limit, cursor } = parseInput(rolloutsRequest, request.query);
      const list = { rollouts: limit };
      const after = cursor === undefined ? undefined : readCursor(list, timePlace, cursor);
      const { entries, next } = await rollouts.list({ limit, after });
      const nextCursor = next ? makeCursor(list, next) : null;
      response.json({ data: entries, meta: { limit, nextCursor } });
    })
    .post(takeBodyIfAny, allowed, withoutParameters, async (request, response) => {
      const options = parseBody(rolloutRequest, request.body);
      const id = await rollouts.begin(options, request.caller?.subject ?? null);
      if (id === undefined) response.status(204).end();
      else
        response
          .status(202)
          .location(`/api/rollouts/${id}`)
          .json(await rollouts.find(id));
    })
    .all(onlyMethods("GET", "POST"));

  router
    .route("/:id")
    .get(allowed, withoutParameters, async (request, response) => {
      response.json(await find(request));
    })
    .all(onlyMethods("GET"));

  router
    .route("/:id/events")
    .get(allowed, withoutParameters, async (request, response) => {
      const { id } = await find(request);
      const giveBack = places.take(request.caller?.subject ?? null);
      try {
        await sendEvents(request, response, (signal) => asEvents(rollouts.follow(id, signal)));
      } finally {
        giveBack();
      }
    })
    .all(onlyMethods("GET"));

  const routes = {
    pause: steer((id) => rollouts.stop(id, "paused")),
    cancel: steer((id) => rollouts.stop(id, "cancelled")),
    resume: steer((id) => rollouts.resume(id)),
  };
  for (const [verb, handlers] of Object.entries(routes)) {
    router.route(`/:id/${verb}`).post(handlers).all(onlyMethods("POST"));
  }
  return router;
}

async function* asEvents(states: AsyncIterable<RolloutDetails>): AsyncGenerator<StateEvent> {
  for await (const rollout of states) yield { isLast: rollout.status !== "running", data: rollout };
}
