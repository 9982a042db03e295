import { TenantConflictError } from "../errors";
import { isOurs } from "../runs/owner";
import type { TenantRow } from "../tenants";

/**
 * Lets only a free slug pass, or an unfinished tenant of this very service for the same admin, which
 * is gone on with.
 *
 * @throws {@link TenantConflictError}
 */
export function refuseTaken(
  tenant: TenantRow | undefined,
  request: { readonly slug: string; readonly adminEmail: string },
): void {
  if (tenant === undefined) return;
  if (tenant.status !== "provisioning" || !isOurs(tenant.owner, request.slug)) {
    throw new TenantConflictError(`The slug ${request.slug} is taken`);
  }
  if (tenant.adminEmail && tenant.adminEmail.toLowerCase() !== request.adminEmail.toLowerCase()) {
    throw new TenantConflictError(
      `An unfinished set-up of ${request.slug} has another adminEmail; send it with that one`,
    );
  }
}
