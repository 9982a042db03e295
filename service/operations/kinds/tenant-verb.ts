import { z } from "zod";
import { isDatabaseError } from "../../../provider/database/pool";
import type { Query } from "../../database/database";
import { TenantBusyError, TenantConflictError, TenantUnknownError } from "../../system/errors";
import { tenantById, tenantBySlug, type TenantRow } from "../../tenants/tenants";
import { isAsWanted, lockWanted, updateWish } from "../../tenants/wanted";
import { holdsSlug, wishOf, type WantedTenant, type Wish } from "../../tenants/wanted-tenant";
import { aliveOperation } from "../store/store";
import type { Given, Kind } from "./kind";

/** A tenant that the service declares: what it wants of it, and what there is. */
export interface DeclaredTenant {
  readonly wanted: WantedTenant;
  /** Its row; undefined where a purge has removed it already. */
  readonly tenant: TenantRow | undefined;
}

/** A verb on a tenant that was set up before, described by what distinguishes it from the others. */
interface TenantVerb<Request extends object> extends Pick<
  Kind<Request>,
  "name" | "title" | "permission" | "body" | "steps" | "settle"
> {
  /** Default: 200. */
  readonly success?: 200 | 204;
  /**
   * What is wanted of the tenant from now on. What it leaves out stays as it is.
   *
   * @throws TenantConflictError where the tenant is not in a status for it.
   */
  readonly next: (
    found: DeclaredTenant,
    request: Request,
    given: Given & { readonly query: Query },
  ) => Partial<Wish> | Promise<Partial<Wish>>;
}

/** Makes a verb: what all verbs on a tenant that was set up before have in common. */
export function tenantVerb<Request extends object>(verb: TenantVerb<Request>): Kind<Request> {
  const { next, ...rest } = verb;
  return {
    success: 200,
    ...rest,

    async want(query, { tenantId = "", request }, given) {
      const found = await findDeclared(query, tenantId);
      const before = wishOf(found.wanted);
      // A release that failed half way is taken back by whatever is asked next.
      const kept = { ...before, released: false };
      const wish = { ...kept, ...(await next(found, request, { ...given, query })) };
      const isSame = JSON.stringify(wish) === JSON.stringify(before);
      if (isSame && (await isAsWanted(query, tenantId))) return undefined;
      await holdingSlug(query, tenantId, wish, () => updateWish(query, tenantId, wish));
      return { tenantId, slug: wish.slug, request, previous: { ...before } };
    },

    async takeBack(query, { tenantId, previous }) {
      const wanted = await lockWanted(query, tenantId);
      if (wanted !== undefined) await updateWish(query, tenantId, previousWish.parse(previous));
    },
  };
}

const previousWish = z.object({
  name: z.string(),
  slug: z.string(),
  status: z.enum(["active", "suspended", "deleted", "purged"]),
  released: z.boolean(),
  restoresTo: z.enum(["active", "suspended"]).nullable(),
  purgeAt: z.coerce.date().nullable(),
}) satisfies z.ZodType<Wish>;

/**
 * Finds a tenant that the service declares, and locks its declaration until the transaction ends.
 *
 * @param options `mayBeUnmade`: whether it may be one whose set-up has not ended.
 * @throws {@link TenantUnknownError} where there is no tenant with the id.
 * @throws {@link TenantConflictError} where a stack declares it, or its set-up has not ended.
 * @throws {@link TenantBusyError} where another operation of it waits or runs.
 */
export async function findDeclared(
  query: Query,
  id: string,
  { mayBeUnmade = false }: { readonly mayBeUnmade?: boolean } = {},
): Promise<DeclaredTenant> {
  const wanted = await lockWanted(query, id);
  // Before the tenant is read: of one whose operation ends just now, the row would be that of before its end, and a
  // tenant that is restored by now would be refused as one that is not set up.
  const alive = await aliveOperation(query, id);
  const tenant = await tenantById(query, id);
  if (wanted === undefined) {
    if (tenant === undefined) throw new TenantUnknownError();
    throw new TenantConflictError(
      tenant.owner === null
        ? "Nobody declares the tenant, so nobody can change it: adopt it first"
        : `The tenant is declared by ${tenant.owner}: change it there`,
    );
  }
  if (alive !== undefined) {
    throw new TenantBusyError(`Operation ${alive.id} (${alive.kind}) of the tenant is under way`);
  }
  // The purge has removed it, and its operation only cleans up after itself.
  if (wanted.status === "purged" && tenant === undefined) throw new TenantUnknownError();
  if (
    !mayBeUnmade &&
    holdsSlug(wanted) &&
    (tenant === undefined || tenant.status === "provisioning")
  ) {
    throw new TenantConflictError("The tenant is not set up: send its set-up again first");
  }
  return { wanted, tenant };
}

/**
 * Runs a change of what is wanted that may take a slug.
 *
 * @throws {@link TenantConflictError} where another tenant has the slug.
 */
async function holdingSlug(
  query: Query,
  id: string,
  wish: Wish,
  change: () => Promise<void>,
): Promise<void> {
  const isTaken = new TenantConflictError(`The slug ${wish.slug} is taken`);
  const holder = holdsSlug(wish) ? await tenantBySlug(query, wish.slug) : undefined;
  if (holder !== undefined && holder.id !== id) throw isTaken;
  await change().catch((error: unknown) => {
    throw isDatabaseError(error, "23505") ? isTaken : error; // unique_violation
  });
}

/**
 * The refusal of a verb for a tenant in another status than the verb is for.
 *
 * @param verb Such as `suspended`: what only a tenant in the `fitting` status can be.
 */
export function notPossible(
  { wanted: { status } }: DeclaredTenant,
  fitting: string,
  verb: string,
): TenantConflictError {
  const is = status === "purged" ? "being purged" : status;
  return new TenantConflictError(`The tenant is ${is}: only one that is ${fitting} can be ${verb}`);
}
