/** The name of the lock that is held while a tenant is worked on. The lock's key is `hashtextextended(name, 0)`. */
export const tenantLock = (tenantId: string) => `pulumi-tenant operation on tenant ${tenantId}`;
