import type { TenantDeclaration } from "../../program/stack";
import { PROJECT } from "../config/project";
import type { TenantRow } from "./tenants";

/**
 * What the service wants of a tenant: its declaration without the fields that the service adds by itself
 * (key, id). `adminPassword` holds the argon2id hash, never the password.
 */
export type TenantSpec = Pick<
  TenantDeclaration,
  "name" | "slug" | "adminEmail" | "adminPassword" | "adminFirstName" | "adminLastName" | "adopt"
>;

/** The status that a tenant is to have. `purged`: it is to be gone, with its data. */
type WantedStatus = "active" | "suspended" | "deleted" | "purged";

/** A tenant that the service owns, as it is wanted. */
export interface WantedTenant {
  readonly id: string;
  /** The name of the stack that declares it; null until the first run is begun for it. */
  readonly stack: string | null;
  readonly spec: TenantSpec;
  /** The `sub` of the token that asked for its set-up; null for a token without one. */
  readonly askedBy: string | null;
  readonly status: WantedStatus;
  /** Whether it is to be let go, in this status: see {@link isLetGo}. */
  readonly released: boolean;
  /** The status that a restore brings it back to; null unless it is wanted `deleted`. */
  readonly restoresTo: "active" | "suspended" | null;
  /** When it is purged by itself; null unless it is wanted `deleted`. */
  readonly purgeAt: Date | null;
  /** Grows with each change of what is wanted. */
  readonly generation: number;
}

/** What of a wanted tenant its verbs change. */
export type Wish = Pick<TenantSpec, "name" | "slug"> &
  Pick<WantedTenant, "status" | "released" | "restoresTo" | "purgeAt">;

/** What is wanted of a tenant, as far as verbs change it. */
export function wishOf({ spec, status, released, restoresTo, purgeAt }: WantedTenant): Wish {
  return { name: spec.name, slug: spec.slug, status, released, restoresTo, purgeAt };
}

/** Whether a tenant is to be there for its product or to come back to it, so that nobody else may have its slug. */
export function holdsSlug({ status }: Pick<WantedTenant, "status">): boolean {
  return status === "active" || status === "suspended";
}

/**
 * Whether a tenant is marked deleted although the service wants it, by a run that went wrong or by somebody
 * else. Its schema and its data are still there, and the next run of its stack brings it back.
 */
export function isLost(tenant: TenantRow | undefined, wanted: WantedTenant): boolean {
  return tenant?.status === "deleted" && holdsSlug(wanted);
}

/**
 * Whether the service is not a tenant's owner any more: nobody is, or somebody else. An owner is
 * `organization/project/stack::name`, and the service names a tenant's resources by its id.
 */
export function isLetGo({ id, owner }: Pick<TenantRow, "id" | "owner">): boolean {
  return owner === null || !(owner.includes(`/${PROJECT}/`) && owner.endsWith(`::${id}`));
}

/**
 * A tenant as its stack's program declares it: its resources are named by its id, since its slug and
 * its name may change. One that is to be purged is declared as deleted, with leave to destroy its data, and one
 * that is to be let go as it is, with leave for that: a later run then leaves it out.
 */
export function declarationOf(wanted: WantedTenant): TenantDeclaration {
  const { id, spec, status, released, generation } = wanted;
  const declared = { ...spec, key: id, id, generation, ...(released ? { release: true } : {}) };
  if (status !== "purged") {
    return { ...declared, suspended: status === "suspended", deleted: status === "deleted" };
  }
  // A schema that somebody dropped by hand, or an earlier try of the purge, must not stop it.
  return { ...declared, deleted: true, forceDestroy: true, recreate: true };
}
