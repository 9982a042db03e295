/** What a stack imports: `import { Tenant, TenantDatabase } from "pulumi-tenant"`. */
export { TenantDatabase, type TenantDatabaseArgs } from "./tenant-database";
export { Tenant, type TenantArgs } from "./tenant";
