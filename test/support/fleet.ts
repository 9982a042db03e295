import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Pool, type QueryResultRow } from "pg";
import { migrationVersion, readMigrations } from "../../provider/database/migrations";
import { createTestDatabase, type TestDatabase } from "./database";

/** How a command of `npm run fleet` ended. */
export interface FleetRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A database with tenants that all have the files of a folder, cheaply made. */
export interface Fleet {
  readonly url: () => string;
  /** The folder of the tenants' migrations. */
  readonly folder: string;
  /** Runs a statement as the tables' owner. */
  readonly sql: <T extends QueryResultRow>(statement: string, values?: unknown[]) => Promise<T[]>;
  /** Empties the database of tenants, and the folder of files but for the first. */
  readonly reset: () => Promise<void>;
  /** Writes a migration into the folder, such as `2_more.sql`. */
  readonly write: (file: string, up: string) => void;
  /** Writes a file of the folder as it is. */
  readonly writeWhole: (file: string, text: string) => void;
  readonly remove: (file: string) => void;
  /**
   * Makes tenants with what is in the folder by now, `prefix-001` and on, the oldest first.
   *
   * @returns their slugs.
   */
  readonly addTenants: (
    count: number,
    about?: { prefix?: string; status?: string; owner?: string },
  ) => Promise<string[]>;
  /** The versions that are applied in a tenant's schema. */
  readonly applied: (slug: string) => Promise<string[]>;
  readonly schemaOf: (slug: string) => Promise<string>;
  /** True while the migration of a tenant that a rollout has taken waits for a table; undefined otherwise. */
  readonly isWaitingForLock: () => Promise<true | undefined>;
  /** Starts the command as a process of its own. */
  readonly start: (...args: string[]) => StartedFleet;
  /** True once a command has printed this; undefined before. */
  readonly said: (child: ChildProcess, words: RegExp) => true | undefined;
  /** Runs the command to its end. */
  readonly run: (...args: string[]) => Promise<FleetRun>;
}

/** What each command has printed by now. */
const printed = new WeakMap<ChildProcess, { stdout: string; stderr: string }>();

/** A command that runs. */
export interface StartedFleet {
  readonly child: ChildProcess;
  readonly ended: Promise<FleetRun>;
}

const program = path.resolve(__dirname, "../../fleet/main.js");

/** Makes the database before a file's tests, and drops it after them. */
export function useFleet(): Fleet {
  const folder = mkdtempSync(path.join(tmpdir(), "fleet-"));
  let database: TestDatabase;
  let pool: Pool;
  const children = new Set<ChildProcess>();
  beforeAll(async () => {
    database = await createTestDatabase({ migrated: true });
    pool = new Pool({ connectionString: database.url, max: 2 });
    pool.on("error", () => undefined);
  });
  afterAll(async () => {
    for (const child of children) child.kill("SIGKILL");
    await pool.end();
    await database.drop();
    rmSync(folder, { recursive: true });
  });
  const sql = async <T extends QueryResultRow>(statement: string, values: unknown[] = []) =>
    (await pool.query<T>(statement, values)).rows;
  const writeWhole = (file: string, text: string) => writeFileSync(path.join(folder, file), text);
  const write = (file: string, up: string) =>
    writeWhole(file, `-- migrate:up\n${up};\n-- migrate:down\n`);
  const schemaOf = async (slug: string) => {
    const [row] = await sql<{ id: string }>("select id from public.tenants where slug = $1", [
      slug,
    ]);
    return `tenant_${row?.id ?? ""}`;
  };

  function start(...args: string[]): StartedFleet {
    const child = spawn(process.execPath, [program, ...args], {
      env: { PATH: process.env.PATH, DATABASE_URL: database.url, TENANT_MIGRATIONS_DIR: folder },
      stdio: ["ignore", "pipe", "pipe"],
    });
    children.add(child);
    const output = { stdout: "", stderr: "" };
    printed.set(child, output);
    child.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
    const ended = once(child, "close").then(() => {
      children.delete(child);
      return { code: child.exitCode ?? -1, ...output };
    });
    return { child, ended };
  }

  return {
    ...{ url: () => database.url, folder, sql, write, writeWhole, start, schemaOf },
    run: (...args) => start(...args).ended,
    said: (child, words) =>
      words.test(Object.values(printed.get(child) ?? {}).join("")) || undefined,
    remove: (file) => rmSync(path.join(folder, file)),
    async isWaitingForLock() {
      const waiting = await sql(
        // A command waits for other locks too, before it has read the folder.
        `select from pg_stat_activity
        where wait_event_type = 'Lock' and wait_event = 'relation' and datname = current_database()
          and exists (select from public.rollout_tenants where runner is not null)`,
      );
      return waiting.length > 0 || undefined;
    },
    async reset() {
      const schemas = await sql<{ id: string }>("select id from public.tenants");
      for (const { id } of schemas) await sql(`drop schema if exists "tenant_${id}" cascade`);
      await sql(
        "truncate public.tenants, public.users, public.service_tenants, public.rollouts cascade",
      );
      await sql("delete from public.tenant_migration_digests where schema_name like 'tenant%'");
      rmSync(folder, { recursive: true });
      mkdirSync(folder);
      writeFileSync(path.join(folder, "1_first.sql"), "-- migrate:up\ncreate table a (id int);\n");
    },
    async addTenants(count, { prefix = "t", status = "active", owner = "service" } = {}) {
      const files = readMigrations(folder);
      const tenants = await sql<{ id: string; slug: string }>(
        `with admin as (
          insert into public.users as u (email, first_name, last_name) values ('a@b.example', 'A', 'D')
          on conflict (lower(email)) do update set first_name = u.first_name returning id
        )
        insert into public.tenants (name, slug, status, owner, admin_user_id, created_at)
        select 'T', $1 || '-' || lpad(n::text, 3, '0'), $2, $3 || '::x', admin.id,
          now() + n * interval '1 ms'
        from admin, generate_series(1, $4::int) n returning id, slug`,
        [prefix, status, owner, count],
      );
      const ids = tenants.map(({ id }) => id);
      if (owner === "service") {
        await sql(
          `insert into public.service_tenants (id, spec)
          select t.id, jsonb_build_object('slug', t.slug, 'adminPassword', '$argon2id$v=19$x')
          from public.tenants t where id = any($1)`,
          [ids],
        );
      }
      await sql(
        `insert into public.tenant_migration_digests (schema_name, file, digest)
        select 'tenant_' || id, f.* from unnest($1::uuid[]) id, unnest($2::text[], $3::text[]) f`,
        [ids, Object.keys(files), Object.values(files)],
      );
      const versions = Object.keys(files).map((file) => `('${migrationVersion(file)}')`);
      for (const id of ids) {
        await sql(
          `create schema "tenant_${id}"
            create table a (id int)
            create table schema_migrations (version varchar primary key)`,
        );
        await sql(`insert into "tenant_${id}".schema_migrations values ${versions.join(", ")}`);
      }
      return tenants.map(({ slug }) => slug).sort();
    },
    async applied(slug) {
      const rows = await sql<{ version: string }>(
        `select version from "${await schemaOf(slug)}".schema_migrations order by 1`,
      );
      return rows.map(({ version }) => version);
    },
  };
}
