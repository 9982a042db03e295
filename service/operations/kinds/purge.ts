import { z } from "zod";
import { rules } from "../../../provider/contract/rules";
import { forgetDrift } from "../../drift/kept";
import { TenantConflictError } from "../../system/errors";
import { forgetUnmade } from "../../tenants/wanted";
import { holdsSlug } from "../../tenants/wanted-tenant";
import type { Kind } from "./kind";
import { notPossible, tenantVerb } from "./tenant-verb";

/** The body of `POST /api/tenant/{id}/purge`. */
const purgeRequest = z.strictObject({ slug: rules.slug });

/**
 * Purges a deleted tenant: its schema, its data, its row and the users that were made for it are gone for
 * ever. The caller names its slug, so that nobody purges by a wrong id.
 */
export const purge: Kind<z.infer<typeof purgeRequest>> = tenantVerb({
  name: "purge",
  title: "the purge",
  permission: "PURGE_TENANT",
  body: purgeRequest,
  // In the order in which they are undone.
  steps: ["membership", "migrations", "schema", "admin", "record"],
  success: 204,

  next(found, { slug }) {
    if (holdsSlug(found.wanted)) throw notPossible(found, "deleted", "purged");
    if (slug !== found.wanted.spec.slug) {
      throw new TenantConflictError(
        `The tenant with this id does not have the slug ${slug}: nothing was purged`,
      );
    }
    return { status: "purged", restoresTo: null, purgeAt: null };
  },

  async settle(query, { tenantId }) {
    await forgetUnmade(query, tenantId);
    await forgetDrift(query, tenantId);
  },
});
