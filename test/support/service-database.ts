import { Client, Pool, type QueryResultRow } from "pg";
import { createTestDatabase, type TestDatabase } from "./database";

/** A database with the control tables, which DATABASE_URL names for a test file. */
export interface ServiceDatabase {
  url(): string;
  /** Runs a statement as the tables' owner. */
  sql<T extends QueryResultRow>(statement: string, values?: unknown[]): Promise<T[]>;
  /** Runs a statement as the server's superuser. */
  asSuperuser(statement: string): Promise<void>;
  /** The stack of the tenant that the service set up, or tried to. */
  stackOf(slug: string): Promise<string>;
  /** Makes a row in `public.tenants`, active unless told otherwise, and gives its id. */
  addTenant(
    slug: string,
    changes?: { status?: string; owner?: string; email?: string },
  ): Promise<string>;
}

/** What `public.tenants.owner` is for a tenant that the service set up. */
export function ownedByService(slug: string): string {
  return `organization/tenant-service/tenant-0123456789abcdef::${slug}`;
}

/** Makes the database before a file's tests, and drops it after them. */
export function useServiceDatabase(options = { migrated: true }): ServiceDatabase {
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
  return {
    url: () => database.url,
    sql,
    async asSuperuser(statement) {
      const superuser = new Client(database.superuserUrl);
      await superuser.connect();
      await superuser.query(statement).finally(() => superuser.end());
    },
    async stackOf(slug) {
      const [row] = await sql<{ name: string }>(
        "select name from public.service_stacks where slug = $1",
        [slug],
      );
      return row?.name ?? "";
    },
    async addTenant(
      slug,
      { status = "active", owner = "somebody/else/s::x", email = "ana@acme.example" } = {},
    ) {
      const [row] = await sql<{ id: string }>(
        `with admin as (
          insert into public.users as u (email, password_hash, first_name, last_name)
          values ($4, '$argon2id$v=19$x', 'Ana', 'Diaz')
          on conflict (lower(email)) do update set first_name = u.first_name
          returning id
        )
        insert into public.tenants (name, slug, status, owner, admin_user_id)
        select 'Acme Corp', $1, $2, $3, id from admin returning id`,
        [slug, status, owner, email],
      );
      return row?.id ?? "";
    },
  };
}
