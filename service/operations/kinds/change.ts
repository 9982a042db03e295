import { z } from "zod";
import { isDatabaseError } from "../../../provider/database/pool";
import { rules } from "../../../provider/contract/rules";
import type { Query } from "../../database/database";
import { TenantBusyError, TenantConflictError, TenantUnknownError } from "../../system/errors";
import { tenantById, tenantBySlug } from "../../tenants/tenants";
import { isAsWanted, lockWanted, updateWanted, type WantedTenant } from "../../tenants/wanted";
import { aliveOperation } from "../store/store";
import type { Kind } from "./kind";

/** The body of `PATCH /api/tenant/{id}`. */
const changeRequest = z
  .strictObject({ name: rules.name.optional(), slug: rules.slug.optional() })
  .refine((body) => Object.keys(body).length > 0, "must have name, slug or both");

/** What a caller wants changed of a tenant. */
export type ChangeRequest = z.infer<typeof changeRequest>;

/** Changes a tenant's name or slug, in place: the id stays, and so do the schema and the data. */
export const change: Kind<ChangeRequest> = {
  name: "change",
  title: "the change",
  permission: "UPDATE_TENANT",
  body: changeRequest,
  steps: ["record"],
  mayDelete: "nothing",
  success: 200,

  async refuse(query, { tenantId = "", request }) {
    await findChangeable(query, tenantId, request);
  },

  async want(query, { tenantId = "", request }) {
    const { spec } = await findChangeable(query, tenantId, request);
    const { name = spec.name, slug = spec.slug } = request;
    const isSame = name === spec.name && slug === spec.slug;
    if (isSame && (await isAsWanted(query, tenantId))) return undefined;
    await updateWanted(query, tenantId, { ...spec, name, slug }).catch((error: unknown) => {
      if (isDatabaseError(error, "23505")) throw isTaken(slug); // unique_violation
      throw error;
    });
    return { tenantId, slug, request, previous: { name: spec.name, slug: spec.slug } };
  },

  async takeBack(query, { tenantId, previous }) {
    const wanted = await lockWanted(query, tenantId);
    if (wanted !== undefined) await updateWanted(query, tenantId, { ...wanted.spec, ...previous });
  },
};

/**
 * Finds the tenant's declaration and locks its row until the transaction ends.
 *
 * @throws {@link TenantUnknownError} where there is no active tenant with the id.
 * @throws {@link TenantConflictError} where a stack declares it, its set-up has not ended, or the slug is taken.
 * @throws {@link TenantBusyError} where another operation of it waits or runs.
 */
async function findChangeable(
  query: Query,
  id: string,
  { slug }: ChangeRequest,
): Promise<WantedTenant> {
  const wanted = await lockWanted(query, id);
  const tenant = await tenantById(query, id);
  if (wanted === undefined) {
    if (tenant?.status !== "active") throw new TenantUnknownError();
    throw new TenantConflictError(`The tenant is declared by ${tenant.owner}: change it there`);
  }
  const alive = await aliveOperation(query, id);
  if (alive !== undefined) {
    throw new TenantBusyError(`Operation ${alive.id} (${alive.kind}) of the tenant is under way`);
  }
  if (tenant === undefined || tenant.status === "provisioning") {
    throw new TenantConflictError("The tenant is not set up: send its set-up again first");
  }
  const holder = slug === undefined ? undefined : await tenantBySlug(query, slug);
  if (slug !== undefined && holder !== undefined && holder.id !== id) throw isTaken(slug);
  return wanted;
}

const isTaken = (slug: string) => new TenantConflictError(`The slug ${slug} is taken`);
