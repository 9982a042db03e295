import type { Request, RequestHandler } from "express";
import { z } from "zod";
import { rules } from "../../provider/contract/rules";
import type { Database } from "../database/database";
import type { Kind } from "../operations/kinds/kind";
import type { Operations } from "../operations/operations";
import { viewTenant, type TenantView } from "../tenants/tenants";
import { parseBody, parseInput } from "./body";
import { HttpError } from "./errors";
import { answerAccepted, answerEnd } from "./operation-answers";
import { prefersAsync } from "./prefer";

/** What the handler of a verb needs. */
interface VerbParts {
  readonly database: Database;
  readonly operations: Operations;
}

/**
 * Handles a verb: has an operation accepted, and answers with its end, or with 202 where that takes too long.
 *
 * @param view Gives the tenant as the answer is to show it.
 */
export function operate<Body extends object>(
  { operations, database }: VerbParts,
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

/** @throws HttpError 404 where there is no such tenant. */
export async function found(tenant: Promise<TenantView | undefined>): Promise<TenantView> {
  const there = await tenant;
  if (there === undefined) throw new HttpError(404, "There is no such tenant");
  return there;
}

/** The tenant's id in the address; undefined where the route has none. @throws InvalidRequestError */
export function idIn(request: Request): string | undefined {
  return parseInput(z.object({ id: rules.id.optional() }), request.params).id;
}

function readKey(request: Request): string | undefined {
  const name = "Idempotency-Key";
  return parseInput(idempotencyKey, { [name]: request.get(name) })[name];
}

/** Any visible ASCII characters, which is what every client can send in a header. */
export const idempotencyKey = z.object({
  "Idempotency-Key": z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 visible ASCII characters")
    .optional(),
});
