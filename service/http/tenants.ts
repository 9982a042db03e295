import { Router, type Request, type RequestHandler } from "express";
import { z } from "zod";
import { rules } from "../../provider/contract/rules";
import type { Database } from "../database/database";
import type { DriftParts } from "../drift/drift";
import { kinds } from "../operations/kinds";
import type { Kind } from "../operations/kinds/kind";
import type { Operations } from "../operations/operations";
import { viewTenant, type TenantView } from "../tenants/tenants";
import { Exports } from "../tenants/exports";
import { onlyMethods } from "./answers";
import { parseBody, parseInput, takeBody, takeBodyIfAny } from "./body";
import { HttpError } from "./errors";
import { answerDrift, answerUnrepairable, viewWithDrift } from "./drift";
import { answerExport } from "./export";
import { answerAccepted, answerEnd } from "./operation-answers";
import { withoutParameters } from "./list-parameters";
import type { Permit } from "./permit";
import { prefersAsync } from "./prefer";
import { limitRate } from "./rate-limit";
import { answerOwnTenants, answerTenants } from "./tenant-lists";

/** Any visible ASCII characters, which is what every client can send in a header. */
const idempotencyKey = z.object({
  "Idempotency-Key": z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 visible ASCII characters")
    .optional(),
});

/** What the routes of tenants need. */
export interface TenantRouteParts {
  readonly permit: Permit;
  readonly database: Database;
  readonly operations: Operations;
  readonly drift: DriftParts;
  /** How many operations a token's subject may ask for in a minute. */
  readonly ratePerMinute: number;
}

/** `/api/tenant`: one tenant, the lists of them, and the verbs. */
export function tenantRoutes(parts: TenantRouteParts): Router {
  const { permit, database } = parts;
  const { query } = database;
  const router = Router();
  const limited = limitRate(parts.ratePerMinute);
  const verb = <Body extends object>(kind: Kind<Body>, take = takeBodyIfAny): RequestHandler[] => [
    take,
    permit(kind.permission),
    limited,
    withoutParameters,
    operate(parts, kind),
  ];

  router.route("/setup").post(verb(kinds.setup, takeBody)).all(onlyMethods("POST"));

  router.route("/adopt").post(verb(kinds.adopt, takeBody)).all(onlyMethods("POST"));

  router.route("/mine").get(permit("NOTHING"), answerOwnTenants(query)).all(onlyMethods("GET"));

  router
    .route("/:id")
    .get(permit("VIEW_TENANTS"), withoutParameters, async (request, response) => {
      response.json(await found(viewTenant(query, idIn(request) ?? "")));
    })
    .patch(verb(kinds.change, takeBody))
    .delete(verb(kinds.delete))
    .all(onlyMethods("GET", "PATCH", "DELETE"));

  router.route("/:id/suspend").post(verb(kinds.suspend)).all(onlyMethods("POST"));
  router.route("/:id/resume").post(verb(kinds.resume)).all(onlyMethods("POST"));
  router.route("/:id/restore").post(verb(kinds.restore)).all(onlyMethods("POST"));
  router.route("/:id/release").post(verb(kinds.release)).all(onlyMethods("POST"));
  router.route("/:id/purge").post(verb(kinds.purge)).all(onlyMethods("POST"));

  router
    .route("/:id/drift")
    .get(permit("VIEW_TENANTS"), withoutParameters, answerDrift(parts.drift))
    .all(onlyMethods("GET"));
  router
    .route("/:id/repair")
    .post(
      ...[takeBodyIfAny, permit(kinds.repair.permission), limited, withoutParameters],
      answerUnrepairable(parts.drift),
      operate(parts, kinds.repair, (id) => viewWithDrift(parts.drift, id)),
    )
    .all(onlyMethods("POST"));
  router
    .route("/:id/export")
    .get(permit("EXPORT_TENANT"), limited, withoutParameters, answerExport(new Exports(database)))
    .all(onlyMethods("GET"));

  router.route("/").get(permit("VIEW_TENANTS"), answerTenants(query)).all(onlyMethods("GET"));

  return router;
}

/**
 * Handles a verb: has an operation accepted, and answers with its end, or with 202 where that takes too long.
 *
 * @param view Gives the tenant as the answer is to show it.
 */
function operate<Body extends object>(
  { operations, database }: TenantRouteParts,
  kind: Kind<Body>,
  view = (id: string) => viewTenant(database.query, id),
): RequestHandler {
  return async (request, response) => {
    const tenantId = idIn(request);
    const operation = await operations.accept({
      ...{ kind, tenantId },
      request: parseBody(kind.body, request.body),
      asker: request.caller ?? { subject: null, isSuperAdmin: false },
      key: readKey(request),
    });
    if (operation === undefined) {
      response.json(await found(view(tenantId ?? "")));
    } else if (prefersAsync(request)) {
      response.set("Preference-Applied", "respond-async");
      answerAccepted(response, operation);
    } else {
      // The operation goes on, also when its caller hangs up.
      const latest = await operations.answerable(operation);
      await answerEnd(response, latest, () => found(view(latest.tenantId)));
    }
  };
}

async function found(tenant: Promise<TenantView | undefined>): Promise<TenantView> {
  const there = await tenant;
  if (there === undefined) throw new HttpError(404, "There is no such tenant");
  return there;
}

/** The tenant's id in the address; undefined where the route has none. @throws InvalidRequestError */
function idIn(request: Request): string | undefined {
  return parseInput(z.object({ id: rules.id.optional() }), request.params).id;
}

function readKey(request: Request): string | undefined {
  const name = "Idempotency-Key";
  return parseInput(idempotencyKey, { [name]: request.get(name) })[name];
}
