/**
 * The life cycles of the dynamic resources, under the names that states hold (see `providerText`). A name
 * that was released must stay exported, because old states name it.
 */
import { adminUser as admin } from "./admin";
import { adminMembership as membership } from "./membership";
import { migrations as files } from "./migrations";
import { inOneDatabase } from "./one-database";
import { tenantRecord as record } from "./record";

export const tenantRecord = inOneDatabase(record);
export const adminUser = inOneDatabase(admin);
export const migrations = inOneDatabase(files);
export const adminMembership = inOneDatabase(membership);
