import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { createTestDatabase, type TestDatabase } from "./database";
import { hangReport } from "./hang-report";
import { eventually, startServiceProcess, type KillableService } from "./killable-service";
import { send, tenantBody, type Answer } from "./service-client";
import { signed } from "./service-tokens";

/** A service with a database, a state and migrations of its own, for a test to spoil. */
export interface World {
  readonly database: TestDatabase;
  /** The role that the service works as. Its database has the same name. */
  readonly role: string;
  readonly service: KillableService;
  readonly state: string;
  readonly migrations: string;
  /** Asks for a tenant and waits for the answer. */
  ask(slug: string, headers?: Record<string, string>): Promise<Answer>;
  /** Asks for a tenant, does not wait for it, and gives its operation's id. */
  begin(slug: string): Promise<string>;
  get(path: string): Promise<Answer>;
  /** How an operation ended. */
  ended(id: string, patience?: number): Promise<string>;
  /** Runs statements as a superuser, beside the world's database, which may be closed. */
  asSuperuser(...statements: string[]): Promise<Record<string, unknown>[]>;
  /** Runs a statement as a superuser in the world's database. */
  sql(statement: string): Promise<Record<string, unknown>[]>;
  /** What there is of a tenant; see {@link whole}. */
  tenant(slug: string): Promise<Record<string, unknown>>;
  /** Waits until the service's log has the words so often. */
  logged(words: RegExp, times?: number): Promise<void>;
  end(): Promise<void>;
}

/** What a world is made with. */
export interface WorldOptions {
  readonly env?: Record<string, string>;
  /** What the last migration of every tenant waits for, in seconds. Default: none. */
  readonly sleep?: number;
  /** See {@link startServiceProcess}. */
  readonly through?: readonly string[];
}

/** Makes a world. */
export async function makeWorld({ env = {}, sleep, through }: WorldOptions = {}): Promise<World> {
  const database = await createTestDatabase({ migrated: true });
  const directory = mkdtempSync(path.join(tmpdir(), "world-"));
  const [state, migrations] = ["state", "migrations"].map((name) => path.join(directory, name)) as [
    string,
    string,
  ];
  mkdirSync(state);
  cpSync(tenantMigrationsDir, migrations, { recursive: true });
  if (sleep !== undefined) {
    const text = `-- migrate:up\nselect pg_sleep(${sleep});\n-- migrate:down\n`;
    writeFileSync(path.join(migrations, "20260101000099_sleep.sql"), text);
  }
  const service = await startServiceProcess(
    {
      DATABASE_URL: database.url,
      PULUMI_BACKEND_URL: `file://${state}`,
      TENANT_MIGRATIONS_DIR: migrations,
      ...env,
    },
    through,
  );
  // Longer than any clock of a test is wrong.
  const token = await signed({ expiresIn: 24 * 3_600 });
  const role = new URL(database.url).username;

  const world: World = {
    ...{ database, role, service, state, migrations },
    ask: (slug, headers = {}) =>
      send(`${service.url}/api/tenant/setup`, {
        ...{ method: "POST", token, headers },
        body: tenantBody({ slug, adminEmail: `ana@${slug}.example` }),
      }),
    async begin(slug) {
      const { status, body } = await world.ask(slug, { Prefer: "respond-async" });
      if (status !== 202) throw new Error(`${status}: ${JSON.stringify(body)}`);
      return body.id ?? "";
    },
    get: (address) => send(`${service.url}${address}`, { token }),
    ended: (id, patience) =>
      eventually(async () => {
        await delay(200);
        const { body } = await world.get(`/api/operations/${id}`);
        return body.finishedAt ? String(body.status) : undefined;
      }, patience).catch(async (error: unknown) => {
        const report = await hangReport(database.superuserUrl, { service: service.log() });
        throw new Error(`operation ${id} does not end\n${report}`, { cause: error });
      }),
    asSuperuser: (...statements) => {
      const url = new URL(database.superuserUrl);
      url.pathname = "/postgres";
      return query(url.href, statements);
    },
    sql: (statement) => query(database.superuserUrl, [statement]),
    async tenant(slug) {
      const [row] = await world.sql(shape(slug));
      return { files: readdirSync(migrations).length, ...row };
    },
    async logged(words, times = 1) {
      const count = () => service.log().match(new RegExp(words, "g"))?.length ?? 0;
      await eventually(() => (count() >= times ? true : undefined)).catch((error: unknown) => {
        throw new Error(`the service did not log ${words.source}:\n${service.log()}`, {
          cause: error,
        });
      });
    },
    async end() {
      await service.stop();
      await database.drop();
      rmSync(directory, { recursive: true });
    },
  };
  return world;
}

/** How {@link World.tenant} tells of a tenant that nothing disturbed. */
export function whole({ files }: Record<string, unknown>): Record<string, unknown> {
  return { files, tenants: ["active"], schemas: 1, users: 1, memberships: 1, migrations: files };
}

/** Ends every session of the world's role. */
export function endSessions(role: string): string {
  return `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`;
}

async function query(url: string, statements: readonly string[]) {
  const client = new Client(url);
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) {
      rows = (await client.query<Record<string, unknown>>(statement)).rows;
    }
    return rows;
  } finally {
    await client.end();
  }
}

/** Counts what there is of a tenant. Its schema may have no table of migrations yet. */
const shape = (slug: string) => `
  with t as (select * from public.tenants where slug = '${slug}')
  select
    (select coalesce(json_agg(status), '[]') from t) as tenants,
    (select count(*)::int from t join pg_namespace on nspname = 'tenant_' || t.id) as schemas,
    (select count(*)::int from public.users where email = 'ana@${slug}.example') as users,
    (select count(*)::int from public.tenant_users u join t on t.id = u.tenant_id) as memberships,
    (select coalesce(sum((xpath('/row/n/text()', query_to_xml(
        format('select count(*) as n from %I.schema_migrations', schemaname), false, true, ''
      )))[1]::text::int), 0)::int
      from t join pg_tables on schemaname = 'tenant_' || t.id and tablename = 'schema_migrations'
    ) as migrations`;
