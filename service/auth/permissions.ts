/** Everything that a token can permit. What each is for is in docs/http-api.md. */
export const permissions = [
  "CREATE_TENANT",
  "VIEW_TENANTS",
  "UPDATE_TENANT",
  "DELETE_TENANT",
  "PURGE_TENANT",
  "EXPORT_TENANT",
  "MIGRATE_TENANTS",
] as const;

/** One of the permissions. */
export type Permission = (typeof permissions)[number];
