import { z } from "zod";
import { rules } from "../../../provider/contract/rules";
import { isDatabaseError } from "../../../provider/database/pool";
import type { Query } from "../../database/database";
import { stepNames } from "../../pulumi/steps";
import { TenantBusyError, TenantConflictError, TenantUnknownError } from "../../system/errors";
import { findAdoptable, type AdoptableTenant } from "../../tenants/adoptable";
import { forgetLetGo, insertAdopted, isAsWanted, lockWanted } from "../../tenants/wanted";
import type { WantedTenant } from "../../tenants/wanted-tenant";
import { aliveOperation } from "../store/store";
import type { Given, Kind } from "./kind";

/** The body of `POST /api/tenant/adopt`. */
const adoptRequest = z
  .strictObject({ id: rules.id.optional(), slug: rules.slug.optional() })
  .refine(({ id, slug }) => (id === undefined) !== (slug === undefined), "must have id or slug");

/** The tenant that the service is to take over. */
export type AdoptRequest = z.infer<typeof adoptRequest>;

/**
 * Takes over a tenant that has no owner: one that was released, by a stack or by this service, or was made by
 * hand. Its declaration is made from what is there. What is missing of it is made; no table is touched.
 */
export const adopt: Kind<AdoptRequest> = {
  name: "adopt",
  title: "the adoption",
  permission: "UPDATE_TENANT",
  body: adoptRequest,
  steps: stepNames,
  success: 200,

  async want(query, { request, asker }, given) {
    const found = await findAdoptable(query, request);
    if (found === undefined) throw new TenantUnknownError();
    const { id, slug } = found;
    await refuseOwned(query, found);
    const wanted = await draftOf(query, found, asker.subject, given);
    const made = await insertAdopted(query, wanted).catch((error: unknown) => {
      // unique_violation: a set-up of the slug was accepted, and has no row yet.
      throw isDatabaseError(error, "23505")
        ? new TenantConflictError(`The slug ${slug} is taken`)
        : error;
    });
    // Without a new declaration an earlier adoption, which did not finish, is continued.
    if (made === undefined && (await lockWanted(query, id)) === undefined) throw isUnderWay();
    return { tenantId: id, slug, request: { slug } };
  },

  // The service keeps the declaration of a tenant that is its own by now: the adoption can be sent again.
  takeBack: (query, { tenantId }) => forgetLetGo(query, tenantId),
};

/**
 * Refuses a tenant that has an owner, unless that is this service by an adoption that did not finish.
 *
 * @throws {@link TenantConflictError} that names the owner; {@link TenantBusyError}
 */
async function refuseOwned(query: Query, { id, owner }: AdoptableTenant): Promise<void> {
  const alive = await aliveOperation(query, id);
  if (alive !== undefined) {
    throw new TenantBusyError(`Operation ${alive.id} (${alive.kind}) of the tenant is under way`);
  }
  const wanted = await lockWanted(query, id);
  if (wanted === undefined) {
    if (owner === null) return;
    throw new TenantConflictError(
      `The tenant is declared by ${owner}: it can be adopted once it was released there`,
    );
  }
  if (wanted.spec.adopt !== true || (await isAsWanted(query, id))) {
    throw new TenantConflictError("The tenant is declared by this service already");
  }
}

type Draft = Omit<WantedTenant, "stack" | "released" | "generation">;

/** @throws {@link TenantConflictError} where what is there makes no declaration. */
async function draftOf(
  query: Query,
  found: AdoptableTenant,
  askedBy: string | null,
  { purgeAfterDays }: Given,
): Promise<Draft> {
  const { id, name, slug, status, suspendedAt } = found;
  const declared = { name, slug, ...adminOf(found), adopt: true };
  const spec = specRules.safeParse(declared);
  if (!spec.success) {
    const faults = spec.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
    throw new TenantConflictError(`The tenant cannot be declared as it is: ${faults.join("; ")}`);
  }
  const draft = { id, spec: spec.data, askedBy, restoresTo: null, purgeAt: null };
  if (status !== "deleted") {
    return { ...draft, status: status === "suspended" ? "suspended" : "active" };
  }
  const [due] = await query<{ purgeAt: Date }>(
    `select now() + $1 * interval '1 day' as "purgeAt"`,
    [purgeAfterDays],
  );
  const restoresTo = suspendedAt === null ? "active" : "suspended";
  return { ...draft, status, restoresTo, purgeAt: due?.purgeAt ?? null };
}

const specRules = z.object({
  name: rules.name,
  slug: rules.slug,
  adminEmail: rules.email,
  adminFirstName: rules.personName,
  adminLastName: rules.personName,
  adopt: z.literal(true),
});

function adminOf({ adminEmail, adminFirstName, adminLastName }: AdoptableTenant) {
  if (adminEmail !== null) return { adminEmail, adminFirstName, adminLastName };
  throw new TenantConflictError(
    "The tenant has no admin, so the service cannot declare it: give it one, or adopt it in a stack",
  );
}

const isUnderWay = () => new TenantBusyError("Another adoption of the tenant is under way");
