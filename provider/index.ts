/** What a stack imports: `import { Tenant, TenantDatabase } from "pulumi-tenant"`. */
export { TenantDatabase, type TenantDatabaseArgs } from "./tenant-database";
export { Tenant, type TenantArgs } from "./tenant";
export {
  TenantError,
  tenantErrorCodes,
  type TenantErrorCode,
  ConfigurationError,
  SlugTakenError,
  ReplacementRefusedError,
  TenantGoneError,
  MigrationsUnreadableError,
  MigrationFailedError,
  SchemaInUseError,
  DatabaseUnreachableError,
  OtherDatabaseError,
  DataGoneError,
  OvertakenError,
  ArchiveError,
  OwnerChangedError,
} from "./contract/errors";
