import { z } from "zod";
import { holdsSlug } from "../../tenants/wanted-tenant";
import type { Kind } from "./kind";
import { notPossible, tenantVerb } from "./tenant-verb";

/** The body of `POST /api/tenant/{id}/resume`. */
const resumeRequest = z.strictObject({});

/** Makes a suspended tenant active again. Migrations that came meanwhile are applied first. */
export const resume: Kind<z.infer<typeof resumeRequest>> = tenantVerb({
  name: "resume",
  title: "the resumption",
  permission: "UPDATE_TENANT",
  body: resumeRequest,
  steps: ["migrations", "membership"],

  next(found) {
    if (!holdsSlug(found.wanted)) throw notPossible(found, "suspended", "resumed");
    return { status: "active" };
  },
});
