import { z } from "zod";
import { rules } from "../../../provider/contract/rules";
import { holdsSlug } from "../../tenants/wanted-tenant";
import type { Kind } from "./kind";
import { notPossible, tenantVerb } from "./tenant-verb";

/** The body of `PATCH /api/tenant/{id}`. */
const changeRequest = z
  .strictObject({ name: rules.name.optional(), slug: rules.slug.optional() })
  .refine((body) => Object.keys(body).length > 0, "must have name, slug or both");

/** What a caller wants changed of a tenant. */
export type ChangeRequest = z.infer<typeof changeRequest>;

/** Changes a tenant's name or slug, in place: the id stays, and so do the schema, the data and the status. */
export const change: Kind<ChangeRequest> = tenantVerb({
  name: "change",
  title: "the change",
  permission: "UPDATE_TENANT",
  body: changeRequest,
  steps: ["record", "membership"],

  next(found, request) {
    if (!holdsSlug(found.wanted)) throw notPossible(found, "active or suspended", "changed");
    const { name, slug } = found.wanted.spec;
    return { name: request.name ?? name, slug: request.slug ?? slug };
  },
});
