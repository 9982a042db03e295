import type { Request, RequestHandler } from "express";
import { z } from "zod";
import { rules } from "../../provider/contract/rules";
import { facetNames, type Facet } from "../../provider/database/drift/facet";
import { lookAt, repairable, type DriftParts } from "../drift/drift";
import { kinds } from "../operations/kinds";
import { tenantView, viewTenant } from "../tenants/tenants";
import { parseBody, parseInput } from "./body";
import { HttpError } from "./errors";

/** A tenant's drift as callers see it: the facets that differ, in their order. */
export const driftView = z
  .strictObject({
    drifted: z.boolean(),
    facets: z.array(
      z.strictObject({
        facet: z.enum(facetNames),
        expected: z.string(),
        found: z.string(),
        repair: z.string().describe("`engine`, or why no run repairs it, and what to do."),
      }),
    ),
  })
  .meta({ id: "Drift" });

type DriftView = z.infer<typeof driftView>;

/** A tenant, and what of its drift is left. */
export const repairedView = tenantView.extend({ drift: driftView }).meta({ id: "RepairedTenant" });

/** Answers with what of a tenant is not as wanted. */
export function answerDrift(parts: DriftParts): RequestHandler {
  return async (request, response) => {
    const id = idIn(request);
    const { tenants, drift } = await lookAt(parts, { id });
    const isKnown = tenants.length > 0 || (await viewTenant(parts.database.query, id));
    if (!isKnown) throw new HttpError(404, "There is no such tenant");
    response.json(viewOf(drift.get(id)));
  };
}

/**
 * Answers a repair of a tenant of which an engine run would repair nothing; what is left of its drift is in the
 * answer. Lets all others pass: those are an operation's.
 */
export function answerUnrepairable(parts: DriftParts): RequestHandler {
  return async (request, response, next) => {
    const id = idIn(request);
    parseBody(kinds.repair.body, request.body);
    const { tenants, drift } = await lookAt(parts, { id });
    const isOwn = tenants.some(({ declared }) => declared !== undefined);
    const tenant =
      isOwn && repairable(drift.get(id) ?? []).length === 0
        ? await viewTenant(parts.database.query, id)
        : undefined;
    if (tenant === undefined) next();
    else response.json({ ...tenant, drift: viewOf(drift.get(id)) });
  };
}

/** The tenant, with what of it is not as wanted, also after it was repaired. */
export async function viewWithDrift(
  parts: DriftParts,
  id: string,
): Promise<z.infer<typeof repairedView> | undefined> {
  const tenant = await viewTenant(parts.database.query, id);
  if (tenant === undefined) return undefined;
  const { drift } = await lookAt(parts, { id });
  return { ...tenant, drift: viewOf(drift.get(id)) };
}

function viewOf(facets: readonly Facet[] = []): DriftView {
  return { drifted: facets.length > 0, facets: [...facets] };
}

/** @throws InvalidRequestError */
function idIn(request: Request): string {
  return parseInput(z.object({ id: rules.id }), request.params).id;
}
