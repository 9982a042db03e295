import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { ENGINE, type WantedFacets } from "../../provider/database/drift/facet";
import {
  migrationVersion,
  readMigrations,
  tenantMigrationsDir,
} from "../../provider/database/migrations";
import type { ResourceDatabase } from "./resources";

/** How many are made in one transaction, which holds locks on all of their tables. */
const AT_ONCE = 20;

/**
 * Makes tenants as the five steps make them, cheaply: their tables by the SQL of the migrations, without dbmate.
 *
 * @returns what is wanted of each.
 */
export async function makeTenants(
  database: Pick<ResourceDatabase, "sql">,
  count: number,
): Promise<WantedFacets[]> {
  const ids = Array.from({ length: count }, () => randomUUID());
  const [model = ""] = ids;
  const files = readMigrations(tenantMigrationsDir);
  const made = tables(files);
  for (let from = 0; from < count; from += AT_ONCE) {
    const schemas = ids
      .slice(from, from + AT_ONCE)
      .map(
        (id) => `create schema "tenant_${id}"; set local search_path to "tenant_${id}"; ${made}`,
      );
    await database.sql(`begin; ${schemas.join("; ")}; commit`);
  }
  await database.sql(
    `insert into public.tenant_migration_digests (schema_name, file, digest)
    select 'tenant_' || t.id, f.* from unnest($1::uuid[]) t (id),
      unnest($2::text[], $3::text[]) f (file, digest)`,
    [ids, Object.keys(files), Object.values(files)],
  );
  await database.sql(
    `with admin as (
      insert into public.users as u (email, first_name, last_name) values ($2, 'Ana', 'Diaz')
      on conflict (lower(email)) do update set first_name = u.first_name returning id
    ), tenant as (
      insert into public.tenants (id, name, slug, owner, status, admin_user_id)
      select t.id, 'Acme Corp', 'slug-' || t.id, 'o/p/s::' || t.id, 'active', admin.id
      from unnest($1::uuid[]) t (id), admin returning id, admin_user_id
    )
    insert into public.tenant_users (tenant_id, user_id, role) select id, admin_user_id, 'ADMIN' from tenant`,
    [ids, `ana@${model}.example`],
  );
  return ids.map((id) => ({
    id,
    declared: {
      ...{ name: "Acme Corp", slug: `slug-${id}`, owner: `o/p/s::${id}`, status: "active" },
      adminEmail: `ana@${model}.example`,
    },
    repair: ENGINE,
  }));
}

function tables(files: object): string {
  const names = Object.keys(files);
  const ups = names.map((file) => {
    const text = readFileSync(path.join(tenantMigrationsDir, file), "utf8");
    return /-- migrate:up([^]*?)-- migrate:down/.exec(text)?.[1] ?? "";
  });
  const versions = names.map((file) => `('${migrationVersion(file)}')`).join(", ");
  return [
    ...ups,
    "create table schema_migrations (version varchar primary key)",
    `insert into schema_migrations values ${versions}`,
  ].join(";\n");
}
