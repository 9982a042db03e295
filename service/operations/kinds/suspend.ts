import { z } from "zod";
import { rules } from "../../../provider/contract/rules";
import { holdsSlug } from "../../tenants/wanted-tenant";
import type { Kind } from "./kind";
import { notPossible, tenantVerb } from "./tenant-verb";

/** The body of `POST /api/tenant/{id}/suspend`. The reason is kept with the operation, for people. */
const suspendRequest = z.strictObject({ reason: rules.name.optional() });

/** Suspends a tenant: its data stays, and the product's roles can use it no more. */
export const suspend: Kind<z.infer<typeof suspendRequest>> = tenantVerb({
  name: "suspend",
  title: "the suspension",
  permission: "UPDATE_TENANT",
  body: suspendRequest,
  steps: ["membership"],

  next(found) {
    if (!holdsSlug(found.wanted)) throw notPossible(found, "active", "suspended");
    return { status: "suspended" };
  },
});
