import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Client } from "pg";
import { migrations, tenantRecord } from "../../provider/resources";
import { checked, useResourceDatabase, type ResourceDatabase } from "./resources";

/** The inputs of step 4. */
export type MigrationInputs = Parameters<typeof migrations.create>[0];

/** A tenant with its row and its schema, and what its steps are given. */
export interface TenantToMigrate {
  readonly id: string;
  readonly record: Parameters<typeof tenantRecord.create>[0];
  readonly schemaName: string;
  /** What the role of its schema is called. */
  readonly role: string;
  /** The inputs of step 4, with the files that there are by now. */
  readonly inputs: (isolateMigrations?: boolean) => MigrationInputs;
  /** Writes a migration. */
  readonly add: (version: number, sql: string) => void;
}

/** Tenants in a database whose role may make a role for each of them. */
export interface IsolatedTenants extends ResourceDatabase {
  /** Makes a tenant, whose first migrations are these statements. */
  readonly newTenant: (...files: string[]) => Promise<TenantToMigrate>;
  readonly asSuperuser: (statement: string, values?: unknown[]) => Promise<object[]>;
  /** What of a role may be of use to somebody: empty where there is no such role. */
  readonly roles: (name: string) => Promise<object[]>;
  /** The owners of a schema and of all that is in it. */
  readonly ownersIn: (schemaName: string) => Promise<string[]>;
}

/** A role as {@link IsolatedTenants} shows one that nobody can log in as. */
export const closed = {
  ...{ rolcanlogin: false, rolpassword: null, rolsuper: false },
  ...{ rolcreaterole: false, rolcreatedb: false, rolbypassrls: false },
};

/** Makes the database before a file's tests, and drops it after them. */
export function useIsolatedTenants(): IsolatedTenants {
  const database = useResourceDatabase({ tenantRoles: true });
  const { urlEnv } = database;
  const folders = mkdtempSync(path.join(tmpdir(), "isolation-"));
  afterAll(() => rmSync(folders, { recursive: true, force: true }));

  async function newTenant(...files: string[]): Promise<TenantToMigrate> {
    const slug = path.basename(mkdtempSync(path.join(folders, "t-"))).toLowerCase();
    const record = { urlEnv, forceDestroy: true, name: "T", slug, owner: slug };
    const { id } = await tenantRecord.create(record);
    const schemaName = `tenant_${id}`;
    await database.sql(`create schema "${schemaName}"`);
    const migrationsDir = mkdtempSync(path.join(folders, "case-"));
    const add = (version: number, sql: string) =>
      writeFileSync(
        path.join(migrationsDir, `${version}_m.sql`),
        `-- migrate:up\n${sql};\n-- migrate:down\n`,
      );
    files.forEach((sql, index) => add(index + 1, sql));
    const inputs = (isolateMigrations?: boolean) => {
      const own = { urlEnv, forceDestroy: true, schemaName, migrationsDir };
      const isolate = isolateMigrations === undefined ? {} : { isolateMigrations };
      return checked<MigrationInputs>(migrations.check({}, { ...own, ...isolate }));
    };
    const [{ oid } = { oid: "" }] = await database.sql<{ oid: string }>(
      "select oid::text from pg_database where datname = current_database()",
    );
    return { id, record, schemaName, role: `${schemaName}_${oid}`, inputs, add };
  }

  async function asSuperuser(statement: string, values?: unknown[]): Promise<object[]> {
    const client = new Client(database.superuserUrl());
    await client.connect();
    return (await client.query<object>(statement, values).finally(() => client.end())).rows;
  }

  return {
    ...database,
    newTenant,
    asSuperuser,
    roles: (name) =>
      asSuperuser(
        `select rolcanlogin, rolpassword, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls
        from pg_authid where rolname = $1`,
        [name],
      ),
    async ownersIn(schemaName) {
      const rows = await database.sql<{ owner: string }>(
        `select distinct pg_get_userbyid(owner)::text as owner from (
          select relowner as owner, relnamespace as ns from pg_class
          union all select proowner, pronamespace from pg_proc
          union all select typowner, typnamespace from pg_type
          union all select oprowner, oprnamespace from pg_operator
          union all select collowner, collnamespace from pg_collation
          union all select conowner, connamespace from pg_conversion
          union all select cfgowner, cfgnamespace from pg_ts_config
          union all select dictowner, dictnamespace from pg_ts_dict
          union all select stxowner, stxnamespace from pg_statistic_ext
          union all select nspowner, oid from pg_namespace) o
        -- A range's constructors always belong to the server's first role.
        where ns = (select oid from pg_namespace where nspname = $1) and owner <> 10`,
        [schemaName],
      );
      return rows.map(({ owner }) => owner);
    },
  };
}
