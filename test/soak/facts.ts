import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { Client, type QueryResultRow } from "pg";
import { z } from "zod";
import { PROJECT } from "../../service/config/project";
import { readMigrations, migrationVersion } from "../../provider/database/migrations";
import type { World } from "./world";

/** A row of `public.operations`. */
interface OperationFact {
  readonly id: string;
  readonly slug: string;
  readonly status: string;
  readonly tenantId: string | null;
  readonly adminEmail: string;
  readonly attempts: number;
  readonly retries: number;
}

/** A row of `public.tenants`, with what belongs to it. */
export interface TenantFact {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly status: string;
  readonly adminId: string | null;
  /** The stack that holds its state. */
  readonly stack: string;
}

/** What is in a schema. */
interface SchemaFact {
  readonly versions: readonly string[];
  readonly tables: readonly string[];
  /** How many files have a digest on record. */
  readonly digests: number;
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
  /** Stacks that the service knows as its own and no tenant's. */
  readonly spareStacks: readonly string[];
  /** Files of locks, relative to the backend's. */
  readonly locks: readonly string[];
  readonly jobs: number;
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
      operations: await rows(
        `select o.id, o.slug, o.status, tenant_id as "tenantId", attempts, retries,
          w.spec ->> 'adminEmail' as "adminEmail"
        from public.operations o left join public.service_tenants w on w.id = tenant_id`,
      ),
      tenants: await rows(
        `select id, t.slug, t.name, t.status, admin_user_id as "adminId",
          coalesce(w.stack, t.slug) as stack
        from public.tenants t left join public.service_tenants w using (id)`,
      ),
      users: await rows("select id, email from public.users"),
      memberships: await rows(
        `select tenant_id as "tenantId", user_id as "userId", role from public.tenant_users`,
      ),
      keys: await rows(`select key, operation_id as "operationId" from public.idempotency_keys`),
      schemas: await readSchemas(rows),
      spareStacks: (
        await rows<{ name: string }>(
          `select name from public.service_stacks s
          where not exists (select from public.service_tenants where stack = s.name)`,
        )
      ).map(({ name }) => name),
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

async function readSchemas(rows: Rows): Promise<Map<string, SchemaFact>> {
  const names = await rows<{ name: string; tables: string[]; digests: number }>(
    `select nspname as name,
      array(select tablename::text from pg_tables where schemaname = nspname order by 1) as tables,
      (select count(*)::int from public.tenant_migration_digests where schema_name = nspname)
        as digests
    from pg_namespace where nspname like 'tenant\\_%'`,
  );
  const schemas = new Map<string, SchemaFact>();
  for (const { name, tables, digests } of names) {
    const versions = tables.includes("schema_migrations")
      ? await rows<{ version: string }>(
          `select version from "${name}".schema_migrations order by version`,
        )
      : [];
    schemas.set(name, { tables, digests, versions: versions.map(({ version }) => version) });
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
