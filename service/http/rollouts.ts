import type { Request } from "express";
import { z } from "zod";
import { orders, usualOptions } from "../../fleet/rollout/rollout";
import { rules } from "../../provider/contract/rules";
import { rolloutDetails, rolloutView, type RolloutDetails } from "../rollouts/read";
import type { Rollouts } from "../rollouts/rollouts";
import { parseBody, parseInput } from "./body";
import { cursorText, listOf, makeCursor, readCursor, timePlace } from "./cursor";
import { HttpError } from "./errors";
import { limit } from "./list-parameters";
import type { Route } from "./route";
import type { StateEvent } from "./server-sent-events";
import { sendEventsInPlace, type StreamPlaces } from "./stream-places";

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

const rolloutsAnswer = listOf(rolloutView);

/**
 * `/api/rollouts`: the migrations of many tenants at once. All of it needs MIGRATE_TENANTS, because what PostgreSQL says
 * of a failed migration may hold a tenant's data.
 */
export function rolloutRoutes(rollouts: Rollouts, places: StreamPlaces): Route[] {
  const permission = "MIGRATE_TENANTS";
  const asRollout = (description: string) => ({ description, schema: rolloutDetails });
  const find = async (request: Request): Promise<RolloutDetails> => {
    const { id } = parseInput(z.object({ id: rules.id }), request.params);
    const rollout = await rollouts.find(id);
    if (rollout === undefined) throw new HttpError(404, "There is no such rollout");
    return rollout;
  };
  /** A route that steers a rollout, and answers with it as it is then. */
  const steer = (verb: string, summary: string, change: (id: string) => Promise<void>): Route => ({
    ...{ name: `${verb}Rollout`, method: "post", path: `/api/rollouts/:id/${verb}`, permission },
    ...{ summary, body: noFields, mayLackBody: true },
    answers: { 200: asRollout("The rollout as it is then.") },
    errors: ["ROLLOUT_CONFLICT"],
    handlers: [
      async (request, response) => {
        parseBody(noFields, request.body);
        await change((await find(request)).id);
        response.json(await find(request));
      },
    ],
  });
  return [
    {
      ...{ name: "listRollouts", method: "get", path: "/api/rollouts", permission },
      summary: "A page of the rollouts, the newest first.",
      query: rolloutsRequest,
      answers: { 200: { description: "The page.", schema: rolloutsAnswer } },
      handlers: [
        async (request, response) => {
          const { limit, cursor } = parseInput(rolloutsRequest, request.query);
          const list = { rollouts: limit };
          const after = cursor === undefined ? undefined : readCursor(list, timePlace, cursor);
          const { entries, next } = await rollouts.list({ limit, after });
          const nextCursor = next ? makeCursor(list, next) : null;
          const answer: z.infer<typeof rolloutsAnswer> = {
            data: entries,
            meta: { limit, nextCursor },
          };
          response.json(answer);
        },
      ],
    },
    {
      ...{ name: "beginRollout", method: "post", path: "/api/rollouts", permission },
      ...{ body: rolloutRequest, mayLackBody: true },
      summary: "Begins a rollout of the migrations that tenants lack.",
      answers: {
        202: asRollout("It is begun; `Location` is its address."),
        204: { description: "No tenant lacks a migration." },
      },
      errors: ["ROLLOUT_CONFLICT"],
      handlers: [
        async (request, response) => {
          const options = parseBody(rolloutRequest, request.body);
          const id = await rollouts.begin(options, request.caller?.subject ?? null);
          if (id === undefined) response.status(204).end();
          else
            response
              .status(202)
              .location(`/api/rollouts/${id}`)
              .json(await rollouts.find(id));
        },
      ],
    },
    {
      ...{ name: "getRollout", method: "get", path: "/api/rollouts/:id", permission },
      summary: "How far a rollout is, and which tenants have failed, with why.",
      answers: { 200: asRollout("The rollout.") },
      handlers: [
        async (request, response) => {
          response.json(await find(request));
        },
      ],
    },
    {
      ...{ name: "followRollout", method: "get", path: "/api/rollouts/:id/events", permission },
      summary: "The same as server-sent events, until the rollout ends or is paused.",
      answers: { 200: { description: "The events.", mediaType: "text/event-stream" } },
      errors: ["RATE_LIMITED"],
      handlers: [
        async (request, response) => {
          const { id } = await find(request);
          await sendEventsInPlace(places, request, response, (signal) =>
            asEvents(rollouts.follow(id, signal)),
          );
        },
      ],
    },
    steer(
      "pause",
      "Lets whoever runs a rollout end what is at work, and take no other tenant.",
      (id) => rollouts.stop(id, "paused"),
    ),
    steer("cancel", "The same for good.", (id) => rollouts.stop(id, "cancelled")),
    steer("resume", "Lets a rollout go on, and tries again the tenants that have failed.", (id) =>
      rollouts.resume(id),
    ),
  ];
}

async function* asEvents(states: AsyncIterable<RolloutDetails>): AsyncGenerator<StateEvent> {
  for await (const rollout of states) yield { isLast: rollout.status !== "running", data: rollout };
}
