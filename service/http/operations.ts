import { Router, type Request } from "express";
import { z } from "zod";
import { rules } from "../../provider/contract/rules";
import { mayView, type Permit } from "./permit";
import { kinds } from "../operations/kinds";
import type { Operations } from "../operations/operations";
import { operationStatuses } from "../operations/store/list";
import { isSettled, type KindName, type Operation } from "../operations/store/operation";
import { onlyMethods } from "./answers";
import { parseInput } from "./body";
import { cursorText, makeCursor, readCursor, timePlace } from "./cursor";
import { HttpError } from "./errors";
import { limit, someOf, withoutParameters } from "./list-parameters";
import { viewOf } from "./operation-answers";
import { sendEvents, type StateEvent } from "./server-sent-events";
import type { StreamPlaces } from "./stream-places";

const kindNames = Object.keys(kinds) as KindName[];

const operationsRequest = z.strictObject({
  tenantId: rules.id.optional(),
  kind: someOf(kindNames).default(kindNames),
  status: someOf(operationStatuses).default([...operationStatuses]),
  limit,
  cursor: cursorText.optional(),
});

/**
 * `/api/operations`: how far an operation is, once or as a stream of events, for the subject that asked for
 * it, and for callers with VIEW_TENANTS; and for the latter the list of all operations.
 */
export function operationRoutes(
  permit: Permit,
  operations: Operations,
  places: StreamPlaces,
): Router {
  const router = Router();

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

  router
    .route("/")
    .get(permit("VIEW_TENANTS"), async (request, response) => {
      const { cursor, ...list } = parseInput(operationsRequest, request.query);
      const after = cursor === undefined ? undefined : readCursor(list, timePlace, cursor);
      const { entries, next } = await operations.list(list, { limit: list.limit, after });
      const nextCursor = next ? makeCursor(list, next) : null;
      response.json({ data: entries.map(viewOf), meta: { limit: list.limit, nextCursor } });
    })
    .all(onlyMethods("GET"));

  router
    .route("/:id")
    .get(permit("NOTHING"), withoutParameters, async (request, response) => {
      response.json(viewOf(await find(request)));
    })
    .all(onlyMethods("GET"));

  router
    .route("/:id/events")
    .get(permit("NOTHING"), withoutParameters, async (request, response) => {
      const { id } = await find(request);
      const giveBack = places.take(request.caller?.subject ?? null);
      try {
        await sendEvents(request, response, (signal) => asEvents(operations.follow(id, signal)));
      } finally {
        giveBack();
      }
    })
    .all(onlyMethods("GET"));

  return router;
}

async function* asEvents(states: AsyncIterable<Operation>): AsyncGenerator<StateEvent> {
  for await (const operation of states) {
    const { version } = operation;
    yield { version, isLast: isSettled(operation), data: viewOf(operation) };
  }
}
