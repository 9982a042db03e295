import { z } from "zod";
import type { Kind } from "./kind";
import { notPossible, tenantVerb } from "./tenant-verb";

/** The body of `DELETE /api/tenant/{id}`. */
const deleteRequest = z.strictObject({});

/**
 * Deletes a tenant: nobody can use it any more, and its slug is free for others. Its data is kept until it is
 * purged, and until then it can be restored.
 */
export const remove: Kind<z.infer<typeof deleteRequest>> = tenantVerb({
  name: "delete",
  title: "the deletion",
  permission: "DELETE_TENANT",
  body: deleteRequest,
  steps: ["membership"],

  async next(found, _request, { query, purgeAfterDays }) {
    const { status } = found.wanted;
    if (status === "purged") throw notPossible(found, "active or suspended", "deleted");
    if (status === "deleted") return {};
    // By the database's clock, as all other times of a tenant.
    const [due] = await query<{ purgeAt: Date }>(
      `select now() + $1 * interval '1 day' as "purgeAt"`,
      [purgeAfterDays],
    );
    return { status: "deleted", restoresTo: status, purgeAt: due?.purgeAt ?? null };
  },
});
