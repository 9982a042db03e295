import { z } from "zod";
import { rules } from "../../../provider/contract/rules";
import { isLost } from "../../tenants/wanted-tenant";
import type { Kind } from "./kind";
import { notPossible, tenantVerb } from "./tenant-verb";

/** The body of `POST /api/tenant/{id}/restore`. */
const restoreRequest = z.strictObject({ slug: rules.slug.optional() });

/**
 * Restores a deleted tenant, in the status that it had. Where somebody else has its slug by now, it needs
 * another one. Migrations that came meanwhile are applied first.
 */
export const restore: Kind<z.infer<typeof restoreRequest>> = tenantVerb({
  name: "restore",
  title: "the restoration",
  permission: "DELETE_TENANT",
  body: restoreRequest,
  steps: ["record", "migrations", "membership"],

  next(found, request) {
    const { wanted, tenant } = found;
    const { restoresTo } = wanted;
    const slug = request.slug ?? wanted.spec.slug;
    if (restoresTo !== null) return { slug, status: restoresTo, restoresTo: null, purgeAt: null };
    // An earlier restoration failed half way, and this one goes on with it.
    if (isLost(tenant, wanted)) return { slug };
    throw notPossible(found, "deleted", "restored");
  },
});
