/**
 * The life cycles of the dynamic resources, under the names that states hold (see `providerText`).
 * A name that was ever released stays: old states ask for it.
 */
export { adminUser } from "./admin";
export { adminMembership } from "./membership";
export { migrations } from "./migrations";
export { tenantRecord } from "./record";
