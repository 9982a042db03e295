/**
 * The life cycles of the dynamic resources, under the names that states hold (see `providerText`). A name
 * that was released must stay exported, because old states name it.
 */
import { adminUser as admin } from "./admin";
import { failingWhenApplied } from "./faults";
import { adminMembership as membership } from "./membership";
import { migrations as files } from "./migrations";
import { inOneDatabase } from "./one-database";
import { tenantRecord as record } from "./record";

export const tenantRecord = inOneDatabase(failingWhenApplied(record));
export const adminUser = inOneDatabase(failingWhenApplied(admin));
export const migrations = inOneDatabase(failingWhenApplied(files));
export const adminMembership = inOneDatabase(failingWhenApplied(membership));
