import { readFileSync } from "node:fs";
import path from "node:path";
import { Client, type QueryResultRow } from "pg";
import { readMigrations, migrationVersion } from "../../provider/database/migrations";
import type { Facts, OperationFact, SchemaFact } from "./facts";
import { listFiles, readStates } from "./state-files";
import { PRODUCT_ROLE, type World } from "./world";

/** Reads all of it; nothing may be at work meanwhile. */
export async function readFacts({ postgres, backend, migrations }: World): Promise<Facts> {
  const state = backend.folder;
  const client = new Client(postgres.url);
  await client.connect();
  const rows = async <Row extends QueryResultRow>(statement: string): Promise<Row[]> =>
    (await client.query<Row>(statement)).rows;
  try {
    return {
      operations: await readOperations(rows),
      tenants: await rows(
        `select t.id, t.slug, t.name, t.status, t.owner, admin_user_id as "adminId",
          spec ->> 'adminEmail' as "adminEmail", w.status as wanted, stack
        from public.tenants t left join public.service_tenants w using (id)`,
      ),
      wanted: (await rows<{ id: string }>("select id from public.service_tenants")).map(
        ({ id }) => id,
      ),
      users: await rows("select id, email from public.users"),
      memberships: await rows(
        `select tenant_id as "tenantId", user_id as "userId", role from public.tenant_users`,
      ),
      keys: await rows(`select key, operation_id as "operationId" from public.idempotency_keys`),
      schemas: await readSchemas(rows),
      digested: await names(
        rows,
        `select distinct schema_name as name from public.tenant_migration_digests
        where schema_name <> 'public'`,
      ),
      spareStacks: await names(
        rows,
        `select name from public.service_stacks s
        where not exists (select from public.service_tenants where stack = s.name)`,
      ),
      doomedStacks: await names(
        rows,
        "select name from public.service_stacks where status = 'removing'",
      ),
      ownerRoles: await names(
        rows,
        `select replace(rolname, '_' || oid_of, '') as name from pg_roles,
          (select oid::text as oid_of from pg_database where datname = current_database()) d
        where rolname ~ ('^tenant.*_' || oid_of || '$')`,
      ),
      advisoryLocks: await names(
        rows,
        `select concat_ws(' ', classid, objid, mode, application_name, query) as name
        from pg_locks join pg_stat_activity using (pid) where locktype = 'advisory'`,
      ),
      productRole: PRODUCT_ROLE,
      jobs: (await rows("select from graphile_worker.jobs")).length,
      states: readStates(state),
      locks: listFiles(path.join(state, ".pulumi/locks")),
      expected: expectedOf(migrations),
    };
  } finally {
    await client.end();
  }
}

type Rows = <Row extends QueryResultRow>(statement: string) => Promise<Row[]>;

async function names(rows: Rows, statement: string): Promise<string[]> {
  return (await rows<{ name: string }>(statement)).map(({ name }) => name);
}

async function readOperations(rows: Rows): Promise<OperationFact[]> {
  const ms = (column: string) =>
    `coalesce(extract(epoch from ${column}) * 1000, 'infinity')::float`;
  return rows(
    `select id, kind, slug, request, status, tenant_id as "tenantId", attempts, retries,
      ${ms("created_at")} as "createdAt", ${ms("started_at")} as "startedAt",
      ${ms("applied_at")} as "appliedAt", ${ms("finished_at")} as "finishedAt"
    from public.operations order by created_at`,
  );
}

async function readSchemas(rows: Rows): Promise<Map<string, SchemaFact>> {
  const found = await rows<Omit<SchemaFact, "versions"> & { name: string }>(
    `select nspname as name,
      array(select tablename::text from pg_tables where schemaname = nspname order by 1) as tables,
      array(
        select concat_ws(' ', coalesce(rolname, 'public'), privilege_type)
        from aclexplode(nspacl) left join pg_roles r on r.oid = grantee where grantee <> nspowner
        order by 1
      ) as rights,
      (select count(*)::int from pg_class where relnamespace = n.oid and relkind = 'r'
        and has_table_privilege('${PRODUCT_ROLE}', oid, 'select')
        and has_table_privilege('${PRODUCT_ROLE}', oid, 'insert, update, delete')) as usable,
      (select count(*)::int from public.tenant_migration_digests where schema_name = nspname)
        as digests
    from pg_namespace n where nspname like 'tenant\\_%'`,
  );
  const schemas = new Map<string, SchemaFact>();
  for (const { name, ...schema } of found) {
    const versions = schema.tables.includes("schema_migrations")
      ? await rows<{ version: string }>(
          `select version from "${name}".schema_migrations order by version`,
        )
      : [];
    schemas.set(name, { ...schema, versions: versions.map(({ version }) => version) });
  }
  return schemas;
}

function expectedOf(migrations: string): Facts["expected"] {
  const files = Object.keys(readMigrations(migrations));
  const tables = files.flatMap((file) => {
    const text = readFileSync(path.join(migrations, file), "utf8");
    return [...text.matchAll(/^create table (\w+)/gm)].map(([, table]) => table ?? "");
  });
  return {
    versions: files.map(migrationVersion).sort(),
    tables: [...tables, "schema_migrations"].sort(),
  };
}
