import { randomUUID } from "node:crypto";
import { z } from "zod";
import { hashPassword } from "../../../provider/contract/passwords";
import { rules } from "../../../provider/contract/rules";
import type { Query } from "../../database/database";
import { stepNames } from "../../pulumi/steps";
import { TenantConflictError } from "../../system/errors";
import { tenantById, tenantBySlug } from "../../tenants/tenants";
import {
  forgetUnmade,
  insertWanted,
  lockWanted,
  updateSpec,
  wantedBySlug,
} from "../../tenants/wanted";
import { isLost, type WantedTenant } from "../../tenants/wanted-tenant";
import { aliveOperation } from "../store/store";
import type { Kind } from "./kind";

/** The body of `POST /api/tenant/setup`. */
export const setupRequest = z.strictObject({
  name: rules.name,
  slug: rules.slug,
  adminEmail: rules.email,
  // An argon2 hash sent here is not taken for a hash: it is hashed like any other long password.
  adminPassword: rules.plainPassword,
  adminFirstName: rules.personName,
  adminLastName: rules.personName,
});

/** The tenant that a caller asks for; its password is in plain text. */
export type SetupRequest = z.infer<typeof setupRequest>;

/** Makes a tenant. Where an earlier set-up of the slug failed, it continues that one, under the same id. */
export const setup: Kind<SetupRequest> = {
  name: "setup",
  title: "the set-up",
  permission: "CREATE_TENANT",
  body: setupRequest,
  steps: stepNames,
  success: 201,

  async refuse(query, { request }) {
    await refuseTaken(query, request, await wantedBySlug(query, request.slug));
  },

  hash: ({ adminPassword }) => hashPassword(adminPassword, randomUUID()),

  async want(query, { request }, { passwordHash = "" }) {
    const spec = { ...request, adminPassword: passwordHash };
    const made = await insertWanted(query, randomUUID(), spec);
    const known = made ?? (await wantedBySlug(query, request.slug));
    // Held until this transaction ends: an earlier set-up that ends in a conflict just now forgets it.
    const wanted = known && (await lockWanted(query, known.id));
    // The insert met a tenant with the slug, and its set-up ended in a conflict before it could be read.
    if (wanted === undefined) throw isBeingSetUp(request.slug);
    await refuseTaken(query, request, wanted);
    if (made === undefined) await updateSpec(query, wanted.id, spec);
    // JSON has no undefined, so the stored request has no password.
    const kept = { ...request, adminPassword: undefined };
    return { tenantId: wanted.id, slug: request.slug, request: kept };
  },

  takeBack: (query, { tenantId }) => forgetUnmade(query, tenantId),
};

/**
 * Refuses a slug that is in use. It lets pass: a slug that nobody has, or that a tenant had which is deleted; a tenant of this service whose set-up
 * did not finish, which is continued; and one that was marked deleted although the service wants it, which
 * is restored. The last two only for the same admin.
 *
 * @param wanted The service's own declaration with the slug, if there is one.
 * @throws {@link TenantConflictError}
 */
async function refuseTaken(
  query: Query,
  { slug, adminEmail }: SetupRequest,
  wanted: WantedTenant | undefined,
): Promise<void> {
  const holder = await tenantBySlug(query, slug);
  if (holder !== undefined && holder.id !== wanted?.id) throw isTaken(slug);
  if (wanted === undefined) return;
  const alive = await aliveOperation(query, wanted.id);
  if (alive?.kind === "setup") throw isBeingSetUp(slug);
  const tenant = await tenantById(query, wanted.id);
  const isMade =
    tenant !== undefined && tenant.status !== "provisioning" && !isLost(tenant, wanted);
  if (alive !== undefined || isMade) throw isTaken(slug);
  if (tenant?.adminEmail && tenant.adminEmail.toLowerCase() !== adminEmail.toLowerCase()) {
    throw new TenantConflictError(
      `An unfinished set-up of ${slug} has another adminEmail; send it with that one`,
    );
  }
}

const isTaken = (slug: string) => new TenantConflictError(`The slug ${slug} is taken`);

const isBeingSetUp = (slug: string) =>
  new TenantConflictError(`The slug ${slug} is being set up already`);
