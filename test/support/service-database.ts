import type { TenantDeclaration } from "../../program/stack";
import type { RunOutcome } from "../../service/pulumi/engine-runs";
import { Client, Pool, type QueryResultRow } from "pg";
import { openDatabase, type Database } from "../../service/database/database";
import { createTestDatabase, type TestDatabase } from "./database";

/** A database with the control tables, for a test file; DATABASE_URL names it too, for the resources. */
export interface ServiceDatabase {
  url(): string;
  /** The database as a service of this process has it. */
  readonly handle: Database;
  /** Sends the handle to another address, where nothing answers, say; without one back to the database. */
  moveHandle(url?: string): void;
  /** Runs a statement as the tables' owner. */
  sql<T extends QueryResultRow>(statement: string, values?: unknown[]): Promise<T[]>;
  /** Runs a statement as the server's superuser. */
  asSuperuser(statement: string): Promise<void>;
  /** The stack of the tenant that the service set up, or tried to. */
  stackOf(slug: string): Promise<string>;
  /**
   * Makes a row in `public.tenants`, active unless told otherwise, and gives its id. Of a tenant that the
   * service wants it has the generation that is wanted.
   */
  addTenant(
    slug: string,
    changes?: { id?: string; status?: string; owner?: string; email?: string },
  ): Promise<string>;
  /** Makes the tenant's row what a declaration of it says, as an engine run would; see {@link end}. */
  readonly apply: (tenant: TenantDeclaration & { readonly id: string }) => Promise<RunOutcome>;
  /** Deletes the tenant's row, as an engine run would that leaves it out and may delete it. */
  readonly end: (id: string) => Promise<RunOutcome>;
  /** Has the service want a tenant, as one without a `sub` asked for it unless told otherwise; gives its id. */
  addWanted(slug: string, adminEmail?: string, askedBy?: string): Promise<string>;
}

/** What `public.tenants.owner` is for a tenant that the service set up. */
export function ownedByService(id: string): string {
  return `organization/tenant-service/tenant-0123456789abcdef::${id}`;
}

/** Makes the database before a file's tests, and drops it after them. */
export function useServiceDatabase(
  options: { migrated?: boolean; tenantRoles?: boolean } = { migrated: true },
): ServiceDatabase {
  let database: TestDatabase;
  let pool: Pool;
  beforeAll(async () => {
    database = await createTestDatabase(options);
    process.env.DATABASE_URL = database.url;
    // A connection that is lost is made again.
    pool = new Pool({ connectionString: database.url, max: 1, idleTimeoutMillis: 0 });
    pool.on("error", () => undefined);
  });
  afterAll(async () => {
    await pool.end();
    await database.drop();
  });
  const sql = async <T extends QueryResultRow>(statement: string, values: unknown[] = []) =>
    (await pool.query<T>(statement, values)).rows;
  let moved: string | undefined;
  const opened = () => openDatabase(moved ?? database.url);
  const handle: Database = {
    get settings() {
      return opened().settings;
    },
    query: (statement, values) => opened().query(statement, values),
    transaction: (work) => opened().transaction(work),
    withTenantLock: (id, work) => opened().withTenantLock(id, work),
  };
  const succeeded = { result: "succeeded" } as const;
  const service: ServiceDatabase = {
    url: () => database.url,
    handle,
    moveHandle: (url) => void (moved = url),
    sql,
    async asSuperuser(statement) {
      const superuser = new Client(database.superuserUrl);
      await superuser.connect();
      await superuser.query(statement).finally(() => superuser.end());
    },
    async stackOf(slug) {
      const [row] = await sql<{ name: string }>(
        "select stack as name from public.service_tenants where slug = $1",
        [slug],
      );
      return row?.name ?? "";
    },
    async addTenant(
      slug,
      { id, status = "active", owner = "somebody/else/s::x", email = "ana@acme.example" } = {},
    ) {
      const [row] = await sql<{ id: string }>(
        `with admin as (
          insert into public.users as u (email, password_hash, first_name, last_name)
          values ($4, '$argon2id$v=19$x', 'Ana', 'Diaz')
          on conflict (lower(email)) do update set first_name = u.first_name
          returning id
        )
        insert into public.tenants (id, name, slug, status, owner, admin_user_id, generation)
        select coalesce($5, gen_random_uuid()), 'Acme Corp', $1, $2, $3, id,
          coalesce((select generation from public.service_tenants where id = $5), 0)
        from admin returning id`,
        [slug, status, owner, email, id],
      );
      return row?.id ?? "";
    },
    async apply({ id, slug, name, suspended, deleted, generation = 0, adminEmail }) {
      const status = deleted ? "deleted" : suspended ? "suspended" : "active";
      const rows = await sql("select from public.tenants where id = $1", [id]);
      if (rows.length === 0) {
        await service.addTenant(slug, { id, owner: ownedByService(id), email: adminEmail });
      }
      const fresh = await sql(
        `update public.tenants set slug = $2, name = $3, status = $4, generation = $5, updated_at = now(),
          suspended_at = case $4 when 'active' then null
            when 'suspended' then coalesce(suspended_at, now()) else suspended_at end,
          deleted_at = case $4 when 'deleted' then coalesce(deleted_at, now()) end
        where id = $1 and generation <= $5 returning id`,
        [id, slug, name, status, generation],
      );
      return fresh.length > 0 ? succeeded : { result: "failed", faults: ["overtaken"] };
    },
    async end(id) {
      await sql("delete from public.tenants where id = $1", [id]);
      return succeeded;
    },
    async addWanted(slug, adminEmail = "ana@acme.example", askedBy) {
      const spec = {
        ...{ name: "Acme Corp", slug, adminEmail, adminPassword: "$argon2id$v=19$x" },
        ...{ adminFirstName: "Ana", adminLastName: "Diaz" },
      };
      const [row] = await sql<{ id: string }>(
        `insert into public.service_tenants (id, spec, asked_by)
        values (gen_random_uuid(), $1, $2) returning id`,
        [JSON.stringify(spec), askedBy],
      );
      return row?.id ?? "";
    },
  };
  return service;
}
