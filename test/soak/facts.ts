import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { Client, type QueryResultRow } from "pg";
import { z } from "zod";
import { PROJECT } from "../../service/pulumi/work-dir";
import { readMigrations, migrationVersion } from "../../provider/database/migrations";
import { PRODUCT_ROLE, type World } from "./world";

/** A row of `public.operations`. */
export interface OperationFact {
  readonly id: string;
  readonly kind: string;
  /** The slug that its tenant has after it. */
  readonly slug: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly status: string;
  readonly tenantId: string;
  readonly attempts: number;
  readonly retries: number;
  /** Times are in ms since 1970; Infinity for what never was. */
  readonly createdAt: number;
  readonly startedAt: number;
  readonly appliedAt: number;
  readonly finishedAt: number;
}

/** A row of `public.tenants`, with what belongs to it. */
export interface TenantFact {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly status: string;
  readonly owner: string | null;
  readonly adminId: string | null;
  /** The e-mail that was asked for; null where the service does not want the tenant. */
  readonly adminEmail: string | null;
  /** The status that the service wants; null where it does not want the tenant. */
  readonly wanted: string | null;
  /** The stack that holds its state; null where it has none. */
  readonly stack: string | null;
}

/** What is in a schema. */
interface SchemaFact {
  readonly versions: readonly string[];
  readonly tables: readonly string[];
  /** How many files have a digest on record. */
  readonly digests: number;
  /** Who has rights on it besides its owner, such as `product USAGE`. */
  readonly rights: readonly string[];
  /** How many of its tables the product's role may read and write, once it may use the schema. */
  readonly usable: number;
}

/** What is in the state of a stack: the last word of each resource's type, and its id. */
export interface StateFact {
  readonly resources: readonly { readonly type: string; readonly id: string }[];
  readonly pending: number;
}

/** What the database and the state backend say when everything has ended. */
export interface Facts {
  readonly operations: readonly OperationFact[];
  readonly tenants: readonly TenantFact[];
  /** The ids of tenants that the service wants. */
  readonly wanted: readonly string[];
  readonly users: readonly { readonly id: string; readonly email: string }[];
  readonly memberships: readonly {
    readonly tenantId: string;
    readonly userId: string;
    readonly role: string;
  }[];
  /** Which operation a key stands for; null where it stands for a conflict. */
  readonly keys: readonly { readonly key: string; readonly operationId: string | null }[];
  /** By the schema's name, each that a tenant may have. */
  readonly schemas: ReadonlyMap<string, SchemaFact>;
  /** By the stack's name. */
  readonly states: ReadonlyMap<string, StateFact>;
  /** Schemas that have digests on record. */
  readonly digested: readonly string[];
  /** Stacks that the service knows as its own and no tenant's. */
  readonly spareStacks: readonly string[];
  /** Stacks that are still to be removed. */
  readonly doomedStacks: readonly string[];
  /** Roles of PostgreSQL that were made for tenants' schemas, without the database's oid. */
  readonly ownerRoles: readonly string[];
  /** Advisory locks that somebody holds, in words. */
  readonly advisoryLocks: readonly string[];
  /** Files of locks, relative to the backend's. */
  readonly locks: readonly string[];
  readonly jobs: number;
  /** The role as which the product would work. */
  readonly productRole: string;
  /** What every tenant's schema must have. */
  readonly expected: { readonly versions: readonly string[]; readonly tables: readonly string[] };
}

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

// As the CLI writes it, at the one version that this project pins.
const stateFile = z.object({
  checkpoint: z.object({
    latest: z
      .object({
        resources: z.array(z.object({ type: z.string(), id: z.string().optional() })).optional(),
        pending_operations: z.array(z.unknown()).nullish(),
      })
      .nullish(),
  }),
});

/** The states of a `file://` backend, by the names of their stacks. */
function readStates(state: string): Map<string, StateFact> {
  const folder = path.join(state, ".pulumi/stacks", PROJECT);
  const files = listFiles(folder).filter((file) => /^[^./]+\.json$/.test(file));
  return new Map(
    files.map((file) => {
      const { checkpoint } = stateFile.parse(
        JSON.parse(readFileSync(path.join(folder, file), "utf8")),
      );
      const resources = (checkpoint.latest?.resources ?? []).map(({ type, id = "" }) => ({
        type: type.split(/[:/]/).at(-1) ?? "",
        id,
      }));
      const pending = checkpoint.latest?.pending_operations?.length ?? 0;
      return [file.replace(/\.json$/, ""), { resources, pending }];
    }),
  );
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

function listFiles(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
  } catch (error) {
    // No run has come that far.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
