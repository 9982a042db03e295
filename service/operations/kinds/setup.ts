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
import type { Asker, Kind } from "./kind";

/** The body of `POST /api/tenant/setup`. */
export const setupRequest = z
  .strictObject({
    name: rules.name,
    slug: rules.slug,
    adminEmail: rules.email,
    // An argon2 hash sent here is not taken for a hash: it is hashed like any other long password.
    adminPassword: rules.plainPassword.optional(),
    adminFirstName: rules.personName,
    adminLastName: rules.personName,
  })
  .meta({
    example: {
      ...{ name: "Acme Corp", slug: "acme-corp", adminEmail: "ana@acme.example" },
      ...{ adminPassword: "a quiet purple river", adminFirstName: "Ana", adminLastName: "Diaz" },
    },
  });

/** The tenant that a caller asks for; its password is in plain text. */
export type SetupRequest = z.infer<typeof setupRequest>;

/**
 * Makes a tenant. Where an earlier set-up of the slug failed, it continues that one, under the same id: for
 * who asked for that one, and for a SUPER_ADMIN, who leaves the admin and the first password as they are.
 */
export const setup: Kind<SetupRequest> = {
  name: "setup",
  title: "the set-up",
  permission: "CREATE_TENANT",
  body: setupRequest,
  steps: stepNames,
  success: 201,

  async refuse(query, { request, asker }) {
    await refuseTaken(query, request, asker, await wantedBySlug(query, request.slug));
  },

  hash: async ({ adminPassword }) =>
    adminPassword === undefined ? undefined : hashPassword(adminPassword, randomUUID()),

  async want(query, { request, asker }, { passwordHash }) {
    const spec = { ...request, adminPassword: passwordHash };
    const made = await insertWanted(query, randomUUID(), spec, asker.subject);
    const known = made ?? (await wantedBySlug(query, request.slug));
    // Held until this transaction ends: an earlier set-up that ends in a conflict just now forgets it.
    const wanted = known && (await lockWanted(query, known.id));
    // The insert met a tenant with the slug, and its set-up ended in a conflict before it could be read.
    if (wanted === undefined) throw isBeingSetUp(request.slug);
    await refuseTaken(query, request, asker, wanted);
    if (made === undefined) {
      const { adminPassword } = isTheirs(wanted, asker) ? spec : wanted.spec;
      await updateSpec(query, wanted.id, { ...spec, adminPassword, adopt: wanted.spec.adopt });
    }
    // The admin's data is in the declaration alone: an operation's row stays for long after its end.
    const { name, slug } = request;
    return { tenantId: wanted.id, slug, request: { name, slug } };
  },

  takeBack: (query, { tenantId }) => forgetUnmade(query, tenantId),
};

/**
 * Refuses a slug that is in use. It lets pass: a slug that nobody has, or that a tenant had which is deleted; a tenant of this service whose set-up
 * did not finish, which is continued; and one that was marked deleted although the service wants it, which
 * is restored. The last two only for the same admin, and only to who asked for the tenant, or a SUPER_ADMIN:
 * anybody else could make a password of their own the admin's. They are told what everybody is told.
 *
 * @param wanted The service's own declaration with the slug, if there is one.
 * @throws {@link TenantConflictError}
 */
async function refuseTaken(
  query: Query,
  { slug, adminEmail }: SetupRequest,
  asker: Asker,
  wanted: WantedTenant | undefined,
): Promise<void> {
  const holder = await tenantBySlug(query, slug);
  if (holder !== undefined && holder.id !== wanted?.id) throw isTaken(slug);
  if (wanted === undefined) return;
  const alive = await aliveOperation(query, wanted.id);
  if (alive?.kind === "setup" || alive?.kind === "import") throw isBeingSetUp(slug);
  const tenant = await tenantById(query, wanted.id);
  const isMade =
    tenant !== undefined && tenant.status !== "provisioning" && !isLost(tenant, wanted);
  if (alive !== undefined || isMade) throw isTaken(slug);
  const isOwn = isTheirs(wanted, asker);
  if (!isOwn && !asker.isSuperAdmin) throw isTaken(slug);
  const first = isOwn ? tenant?.adminEmail : wanted.spec.adminEmail;
  if (first && first.toLowerCase() !== adminEmail.toLowerCase()) {
    throw new TenantConflictError(
      `An unfinished set-up of ${slug} has another adminEmail; send it with that one`,
    );
  }
}

const isTheirs = ({ askedBy }: WantedTenant, { subject }: Asker) => askedBy === subject;

const isTaken = (slug: string) => new TenantConflictError(`The slug ${slug} is taken`);

const isBeingSetUp = (slug: string) =>
  new TenantConflictError(`The slug ${slug} is being set up already`);
