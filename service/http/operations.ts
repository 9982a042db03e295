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

/** `/api/operations`: how far a set-up is, once or as it goes, for who asked for it. */
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
    // Who may not see it does not learn that it is there.
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
