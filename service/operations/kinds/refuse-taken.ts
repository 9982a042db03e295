import { TenantConflictError } from "../../system/errors";
import { isOurs } from "../../pulumi/owner";
import type { TenantRow } from "../../tenants/tenants";

/**
 * Lets only a free slug pass, or a tenant of this very service for the same admin that is unfinished, and
 * is gone on with, or that was lost, and is restored.
 *
 * @throws {@link TenantConflictError}
 */
export function refuseTaken(
  tenant: TenantRow | undefined,
  request: { readonly slug: string; readonly adminEmail: string },
): void {
  if (tenant === undefined) return;
  const isUnfinished = tenant.status === "provisioning" && isOurs(tenant.owner, request.slug);
  if (!isUnfinished && !isLost(tenant)) {
    throw new TenantConflictError(`The slug ${request.slug} is taken`);
  }
  if (tenant.adminEmail && tenant.adminEmail.toLowerCase() !== request.adminEmail.toLowerCase()) {
    throw new TenantConflictError(
      `An unfinished set-up of ${request.slug} has another adminEmail; send it with that one`,
    );
  }
}

/**
 * Whether a tenant of the service is marked deleted, which no verb of the service asks for: a run went
 * wrong, or somebody else did it. Its schema and data are kept.
 */
export function isLost({ status, owner, slug }: TenantRow): boolean {
  return status === "deleted" && isOurs(owner, slug);
}
