import { Router, type Request } from "express";
import { z } from "zod";
import { rules } from "../../provider/contract/rules";
import { mayView, type Permit } from "./permit";
import type { Operation } from "../operations/store/operation";
import type { Operations } from "../operations/operations";
import { onlyMethods } from "./answers";
import { parseInput } from "./body";
import { HttpError } from "./errors";
import { viewOf } from "./operation-answers";
import { sendEvents } from "./server-sent-events";
import { StreamPlaces, type StreamLimits } from "./stream-places";

/**
 * `/api/operations`: how far an operation is, once or as a stream of events. For the subject that asked for
 * it, and for callers with VIEW_TENANTS.
 */
export function operationRoutes(
  permit: Permit,
  operations: Operations,
  streams: StreamLimits,
): Router {
  const router = Router();
  const places = new StreamPlaces(streams);

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
    .route("/:id")
    .get(permit("NOTHING"), async (request, response) => {
      response.json(viewOf(await find(request)));
    })
    .all(onlyMethods("GET"));

  router
    .route("/:id/events")
    .get(permit("NOTHING"), async (request, response) => {
      const { id } = await find(request);
      const giveBack = places.take(request.caller?.subject ?? null);
      try {
        await sendEvents(request, response, (signal) => operations.follow(id, signal));
      } finally {
        giveBack();
      }
    })
    .all(onlyMethods("GET"));

  return router;
}
