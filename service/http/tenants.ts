import { Router, type Request } from "express";
import { z } from "zod";
import { rules } from "../../provider/contract/rules";
import type { Permit } from "./permit";
import type { Operations } from "../operations/operations";
import { tenantRequest } from "../operations/kinds/setup-request";
import { activeTenant, activeTenants } from "../tenants/tenants";
import { onlyMethods } from "./answers";
import { parseBody, parseInput, takeBody } from "./body";
import { HttpError } from "./errors";
import { answerAccepted, answerEnd } from "./operation-answers";
import { prefersAsync } from "./prefer";
import { limitRate } from "./rate-limit";

const count = (most: number) =>
  z
    .string()
    .regex(/^[1-9]\d{0,8}$/, "must be a whole number from 1")
    .transform(Number)
    .refine((value) => value <= most, `must be at most ${most}`);

const pageRequest = z.strictObject({
  page: count(1_000_000).default(1),
  limit: count(100).default(20),
});

/** Any visible ASCII that a header can hold. */
const idempotencyKey = z.object({
  "Idempotency-Key": z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 visible ASCII characters")
    .optional(),
});

/** `/api/tenant`: set-up, one tenant, the list of them. */
export function tenantRoutes(
  permit: Permit,
  operations: Operations,
  ratePerMinute: number,
): Router {
  const router = Router();
  const limited = limitRate(ratePerMinute);

  router
    .route("/setup")
    .post(takeBody, permit("CREATE_TENANT"), limited, async (request, response) => {
      const operation = await operations.accept({
        request: parseBody(tenantRequest, request.body),
        subject: request.caller?.subject ?? null,
        key: readKey(request),
      });
      if (prefersAsync(request)) {
        response.set("Preference-Applied", "respond-async");
        answerAccepted(response, operation);
      } else {
        // It goes on, whether its caller waits or hangs up.
        answerEnd(response, await operations.answerable(operation));
      }
    })
    .all(onlyMethods("POST"));

  router
    .route("/:id")
    .get(permit("VIEW_TENANTS"), async (request, response) => {
      const { id } = parseInput(z.object({ id: rules.id }), request.params);
      const tenant = await activeTenant(id);
      if (tenant === undefined) throw new HttpError(404, "There is no such tenant");
      response.json(tenant);
    })
    .all(onlyMethods("GET"));

  router
    .route("/")
    .get(permit("VIEW_TENANTS"), async (request, response) => {
      const { page, limit } = parseInput(pageRequest, request.query);
      const { tenants, total } = await activeTenants(page, limit);
      const meta = { page, limit, total, totalPages: Math.ceil(total / limit) };
      response.json({ data: tenants, meta });
    })
    .all(onlyMethods("GET"));

  return router;
}

function readKey(request: Request): string | undefined {
  const name = "Idempotency-Key";
  return parseInput(idempotencyKey, { [name]: request.get(name) })[name];
}
