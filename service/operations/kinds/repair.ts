import { z } from "zod";
import { forgetRepaired } from "../../drift/kept";
import { updateWish } from "../../tenants/wanted";
import { wishOf } from "../../tenants/wanted-tenant";
import { stepNames } from "../../pulumi/steps";
import type { Kind } from "./kind";
import { findDeclared, notPossible } from "./tenant-verb";

/** The body of `POST /api/tenant/{id}/repair`. */
const repairRequest = z.strictObject({});

/**
 * Brings a tenant back to what is wanted of it, also one whose set-up never ended: the run refreshes first, as
 * each run of a stack does, and so it finds what somebody has changed. What is wanted stays as it is, as another
 * generation: only a run that came after it counts.
 */
export const repair: Kind<z.infer<typeof repairRequest>> = {
  name: "repair",
  title: "the repair",
  permission: "UPDATE_TENANT",
  body: repairRequest,
  steps: stepNames,
  success: 200,

  async want(query, { tenantId = "", request }) {
    const found = await findDeclared(query, tenantId, { mayBeUnmade: true });
    const { wanted } = found;
    if (wanted.status === "purged") throw notPossible(found, "not being purged", "repaired");
    await updateWish(query, tenantId, wishOf(wanted));
    return { tenantId, slug: wanted.spec.slug, request };
  },

  // Nothing else is wanted than before.
  takeBack: () => Promise.resolve(),

  settle: (query, { tenantId }) => forgetRepaired(query, tenantId),
};
