/** Everything that a token can permit. What each is for is in docs/http-api.md. */
export const permissions = ["CREATE_TENANT", "VIEW_TENANTS", "UPDATE_TENANT"] as const;

/** What a caller may do. */
export type Permission = (typeof permissions)[number];
