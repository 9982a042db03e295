import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { readMigrations, type MigrationDigests } from "./database/migrations";
import { rowsIfAny, withConnection } from "./database/pool";
import type { DatabaseAddress } from "./database/settings";
import { valueOf } from "./outputs";
import { faultsOf } from "./resources/migrations-folder";

/** A tenant that a program is about to take over. */
export interface Adoption {
  readonly resource: pulumi.Resource;
  /** The name of the resource. */
  readonly name: string;
  /** Undefined where no row has the slug: then nothing of the tenant is there. */
  readonly tenantId: string | undefined;
  /** The argument of the tenant. */
  readonly adminEmail: unknown;
  readonly migrationsDir: string;
}

/** What of a tenant is in the database. */
interface Found {
  readonly id: string;
  readonly row: boolean;
  /** The e-mail of its admin by the row. */
  readonly admin: string | null;
  /** Whether the declared admin is there, and an admin of the tenant. */
  readonly user: boolean;
  readonly membership: boolean;
  readonly schema: boolean;
  /** Whether something was migrated in the schema. */
  readonly migrated: boolean;
  /** The files with a digest. */
  readonly files: MigrationDigests;
}

/**
 * In a preview, says of each tenant that is to be taken over what of it is there, and is kept, and what is missing,
 * and is made. A database that does not answer is warned of elsewhere.
 */
export async function tellAdoptions(
  address: DatabaseAddress,
  adoptions: readonly Adoption[],
): Promise<void> {
  if (adoptions.length === 0) return;
  const emails = await Promise.all(adoptions.map(({ adminEmail }) => emailOf(adminEmail)));
  const found = await look(address, adoptions, emails).catch(() => undefined);
  if (found === undefined) return;
  for (const [index, adoption] of adoptions.entries()) {
    const there = found.find(({ id }) => id === adoption.tenantId);
    const files = filesIn(adoption.migrationsDir);
    await pulumi.log.info(inWords(adoption, there, files, emails[index]), adoption.resource);
    for (const fault of faultsOfFolder(adoption, there, files)) {
      await pulumi.log.warn(fault, adoption.resource);
    }
  }
}

function inWords(
  { name, tenantId }: Adoption,
  found: Found | undefined,
  files: MigrationDigests = {},
  email = "",
): string {
  if (found === undefined || tenantId === undefined) {
    return `adopts no tenant: none has the slug, so ${name} is made`;
  }
  const pending = pendingOf(files, found);
  const applied = Object.keys(found.files).length;
  const facets = {
    row: found.row,
    admin: found.user,
    schema: found.schema,
    ...(applied > 0 ? { [`migrations (${applied})`]: true } : {}),
    ...(pending.length > 0 ? { [`migrations (${pending.join(", ")})`]: false } : {}),
    membership: found.membership,
  };
  const those = (isThere: boolean) =>
    Object.entries(facets).flatMap(([facet, has]) => (has === isThere ? [facet] : []));
  const list = (names: readonly string[]) => names.join(", ") || "nothing";
  const sentences = [
    `adopts tenant ${name} (${tenantId}): there and kept: ${list(those(true))}; missing and made: ${list(those(false))}`,
  ];
  if (found.migrated && applied === 0) {
    sentences.push(
      "its migrations have no digests: they are kept if the schema is what the files make",
    );
  }
  if (found.admin !== null && found.admin.toLowerCase() !== email.toLowerCase()) {
    sentences.push(`its admin until now, ${found.admin}, stays a member with the role they have`);
  }
  return sentences.join(". ");
}

/** The files that are to be applied. Of a schema without digests, the applied ones are not known here. */
function pendingOf(wanted: MigrationDigests, { files, migrated }: Found): string[] {
  if (migrated && Object.keys(files).length === 0) return [];
  return Object.keys(wanted).filter((file) => files[file] === undefined);
}

/** The tenant may have been made with other migrations: `up` would refuse it half way, in step 4. */
function faultsOfFolder(
  { name, migrationsDir }: Adoption,
  found?: Found,
  files?: MigrationDigests,
): string[] {
  if (found === undefined || files === undefined) return [];
  return faultsOf(files, found.files, folderOf(migrationsDir)).map(
    (fault) => `pulumi up will refuse ${name}: ${fault}`,
  );
}

/** @returns undefined where it cannot be read: step 4 tells what is wrong with it. */
function filesIn(migrationsDir: string): MigrationDigests | undefined {
  try {
    return readMigrations(folderOf(migrationsDir));
  } catch {
    return undefined;
  }
}

const folderOf = (migrationsDir: string) =>
  path.resolve(pulumi.runtime.getRootDirectory(), migrationsDir);

/** @returns "" where only `pulumi up` will tell the value. */
async function emailOf(adminEmail: unknown): Promise<string> {
  const email = await valueOf(pulumi.output(adminEmail as pulumi.Input<string>));
  return typeof email === "string" ? email.trim() : "";
}

async function look(
  address: DatabaseAddress,
  adoptions: readonly Adoption[],
  emails: readonly string[],
): Promise<Found[]> {
  return withConnection(address, (client) =>
    rowsIfAny<Found>(
      client,
      `select a.id, t.id is not null as "row", u.email as admin,
        exists (select from public.users where lower(email) = lower(a.email)) as "user",
        exists (
          select from public.tenant_users m join public.users member on member.id = m.user_id
          where m.tenant_id = a.id and m.role = 'ADMIN' and lower(member.email) = lower(a.email)
        ) as membership,
        exists (select from pg_namespace where nspname = 'tenant_' || a.id) as schema,
        exists (
          select from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where nspname = 'tenant_' || a.id and relname = 'schema_migrations'
        ) as migrated,
        (
          select coalesce(json_object_agg(file, digest), '{}') from public.tenant_migration_digests
          where schema_name = 'tenant_' || a.id
        ) as files
      from unnest($1::uuid[], $2::text[]) as a (id, email)
      left join public.tenants t on t.id = a.id
      left join public.users u on u.id = t.admin_user_id
      where a.id is not null`,
      [adoptions.map(({ tenantId }) => tenantId ?? null), emails],
    ),
  );
}
