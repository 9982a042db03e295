import { z } from "zod";
import { TenantConflictError } from "../../system/errors";
import { forgetLetGo } from "../../tenants/wanted";
import type { Kind } from "./kind";
import { tenantVerb } from "./tenant-verb";

/** The body of `POST /api/tenant/{id}/release`. */
const releaseRequest = z.strictObject({});

/**
 * Releases a tenant: the service's stack and its declarations forget it, and of all that there is of it nothing
 * changes but its owner. A stack, or the service again, may then adopt it. A deleted one stays deleted, and is not
 * purged by itself any more.
 */
export const release: Kind<z.infer<typeof releaseRequest>> = tenantVerb({
  name: "release",
  title: "the release",
  permission: "UPDATE_TENANT",
  body: releaseRequest,
  // In the order in which they are left; the record's row loses its owner.
  steps: ["membership", "record"],

  next({ wanted: { status } }) {
    if (status === "purged") {
      throw new TenantConflictError("The tenant is being purged: it cannot be released any more");
    }
    return { released: true };
  },

  settle: (query, { tenantId }) => forgetLetGo(query, tenantId),
});
