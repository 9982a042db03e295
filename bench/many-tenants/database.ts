import { readFileSync } from "node:fs";
import path from "node:path";
import { Client } from "pg";
import { readMigrations, tenantMigrationsDir } from "../../provider/database/migrations";

/** For how many tenants one transaction makes the tables. Each takes about forty entries of PostgreSQL's lock table. */
const AT_ONCE = 20;

/**
 * Fills a database with copies of one of its tenants, made by a set-up: rows, operations, and for each
 * a schema with the tables of the very migrations, run as plain SQL.
 *
 * @param slug Of the tenant to copy.
 * @returns the copies' slugs.
 */
export async function copyTenant(
  databaseUrl: string,
  slug: string,
  count: number,
): Promise<string[]> {
  const clients = [new Client(databaseUrl), new Client(databaseUrl)] as const;
  await Promise.all(clients.map((client) => client.connect()));
  try {
    const [client] = clients;
    const copies = await copyRows(client, slug, count);
    const batches = copies.flatMap((_, i) =>
      i % AT_ONCE === 0 ? [copies.slice(i, i + AT_ONCE)] : [],
    );
    const tables = tenantTables();
    await Promise.all(
      clients.map(async (each) => {
        for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
          const schemas = batch.map((copy) => schemaLike(copy, tables));
          await each.query(`begin; ${schemas.join("\n")} commit`);
        }
      }),
    );
    // Now, or autovacuum would do it during a measurement.
    await client.query("analyze");
    return copies.map((copy) => copy.slug);
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

interface Copy {
  readonly slug: string;
  readonly schema: string;
  /** The schema of the tenant that was copied. */
  readonly model: string;
}

async function copyRows(client: Client, slug: string, count: number): Promise<Copy[]> {
  await client.query("begin");
  await client.query(
    `create temporary table copies on commit drop as
    select t.id as model, t.slug as model_slug, t.admin_user_id as model_user,
      gen_random_uuid() as id, gen_random_uuid() as user_id, gen_random_uuid() as operation_id,
      t.slug || '-copy-' || n as slug
    from public.tenants t, generate_series(1, $2::int) n where t.slug = $1`,
    [slug, count],
  );
  for (const statement of copiedRows) await client.query(statement);
  const { rows } = await client.query<Copy>(
    "select slug, 'tenant_' || id as schema, 'tenant_' || model as model from copies",
  );
  await client.query("commit");
  return rows;
}

const copiedRows = [
  `insert into public.users
  select (jsonb_populate_record(u, jsonb_build_object(
    'id', user_id, 'email', 'admin@' || slug || '.example', 'made_for_tenant_id', copies.id))).*
  from copies join public.users u on u.id = model_user`,

  `insert into public.tenants
  select (jsonb_populate_record(t, jsonb_build_object(
    'id', copies.id, 'slug', copies.slug, 'admin_user_id', user_id,
    'owner', regexp_replace(owner, '[^/]*$', copies.slug || '::' || copies.id)))).*
  from copies join public.tenants t on t.id = model`,

  `insert into public.tenant_users (tenant_id, user_id, role)
  select id, user_id, 'ADMIN' from copies`,

  `insert into public.tenant_migration_digests (schema_name, file, digest)
  select 'tenant_' || id, file, digest
  from copies join public.tenant_migration_digests on schema_name = 'tenant_' || model`,

  `insert into public.operations
  select (jsonb_populate_record(o, jsonb_build_object(
    'id', operation_id, 'slug', copies.slug, 'tenant_id', copies.id))).*
  from copies join public.operations o on o.tenant_id = model`,

  `insert into public.service_stacks
  select (jsonb_populate_record(s, jsonb_build_object('name', copies.slug))).*
  from copies join public.service_tenants w on w.id = model
  join public.service_stacks s on s.name = w.stack`,

  `insert into public.service_tenants (id, stack, spec)
  select copies.id, copies.slug, spec || jsonb_build_object(
    'slug', copies.slug, 'adminEmail', 'admin@' || copies.slug || '.example')
  from copies join public.service_tenants w on w.id = model`,
];

function tenantTables(): string {
  return Object.keys(readMigrations(tenantMigrationsDir))
    .map((file) => readFileSync(path.join(tenantMigrationsDir, file), "utf8"))
    .map((text) => /^-- migrate:up$(.*?)^-- migrate:down$/ms.exec(text)?.[1] ?? "")
    .join("\n");
}

function schemaLike({ model, schema }: Copy, tables: string): string {
  return `create schema "${schema}";
    set local search_path = "${schema}";
    ${tables}
    create table schema_migrations (like "${model}".schema_migrations including all);
    insert into schema_migrations select * from "${model}".schema_migrations;`;
}
