import type { Request } from "express";
import { z } from "zod";
import { rules } from "../../provider/contract/rules";
import { mayView } from "./permit";
import { kinds } from "../operations/kinds";
import type { Operations } from "../operations/operations";
import { operationStatuses } from "../operations/store/list";
import { isSettled, type KindName, type Operation } from "../operations/store/operation";
import { parseInput } from "./body";
import { cursorText, listOf, makeCursor, readCursor, timePlace } from "./cursor";
import { HttpError } from "./errors";
import { limit, someOf } from "./list-parameters";
import { operationView, viewOf } from "./operation-answers";
import type { Route } from "./route";
import type { StateEvent } from "./server-sent-events";
import { sendEventsInPlace, type StreamPlaces } from "./stream-places";

const kindNames = Object.keys(kinds) as KindName[];

const operationsRequest = z.strictObject({
  tenantId: rules.id.optional(),
  kind: someOf(kindNames).default(kindNames),
  status: someOf(operationStatuses).default([...operationStatuses]),
  limit,
  cursor: cursorText.optional(),
});

const operationsAnswer = listOf(operationView);

/**
 * `/api/operations`: how far an operation is, once or as a stream of events, for the subject that asked for
 * it, and for callers with VIEW_TENANTS; and for the latter the list of all operations.
 */
export function operationRoutes(operations: Operations, places: StreamPlaces): Route[] {
  const permission = "NOTHING";
  async function find(request: Request): Promise<Operation> {
    const { id } = parseInput(z.object({ id: rules.id }), request.params);
    const operation = await operations.find(id);
    const asker = request.caller?.subject ?? null;
    const own = asker !== null && operation?.subject === asker;
    // 404 also for those who may not see it, so that they do not learn that it exists.
    if (operation === undefined || !(own || mayView(request))) {
      throw new HttpError(404, "There is no such operation");
    }
    return operation;
  }
  return [
    {
      ...{ name: "listOperations", method: "get", path: "/api/operations" },
      ...{ permission: "VIEW_TENANTS", query: operationsRequest },
      summary: "A page of the operations, the newest first.",
      answers: { 200: { description: "The page.", schema: operationsAnswer } },
      handlers: [
        async (request, response) => {
          const { cursor, ...list } = parseInput(operationsRequest, request.query);
          const after = cursor === undefined ? undefined : readCursor(list, timePlace, cursor);
          const { entries, next } = await operations.list(list, { limit: list.limit, after });
          const nextCursor = next ? makeCursor(list, next) : null;
          const meta = { limit: list.limit, nextCursor };
          const answer: z.infer<typeof operationsAnswer> = { data: entries.map(viewOf), meta };
          response.json(answer);
        },
      ],
    },
    {
      ...{ name: "getOperation", method: "get", path: "/api/operations/:id", permission },
      summary:
        "How far an operation is, step by step: for who asked for it, and with VIEW_TENANTS.",
      answers: { 200: { description: "The operation.", schema: operationView } },
      handlers: [
        async (request, response) => {
          response.json(viewOf(await find(request)));
        },
      ],
    },
    {
      ...{ name: "followOperation", method: "get", path: "/api/operations/:id/events", permission },
      summary: "The same as server-sent events, up to the operation's end.",
      answers: { 200: { description: "The events.", mediaType: "text/event-stream" } },
      errors: ["RATE_LIMITED"],
      handlers: [
        async (request, response) => {
          const { id } = await find(request);
          await sendEventsInPlace(places, request, response, (signal) =>
            asEvents(operations.follow(id, signal)),
          );
        },
      ],
    },
  ];
}

async function* asEvents(states: AsyncIterable<Operation>): AsyncGenerator<StateEvent> {
  for await (const operation of states) {
    const { version } = operation;
    yield { version, isLast: isSettled(operation), data: viewOf(operation) };
  }
}
