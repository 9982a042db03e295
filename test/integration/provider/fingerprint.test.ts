import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  compareLines,
  describeSchema,
  fingerprintOf,
  fingerprints,
} from "../../../provider/database/fingerprint";
import { migrate } from "../../../provider/database/dbmate";
import { readMigrations, tenantMigrationsDir } from "../../../provider/database/migrations";
import { inTransaction } from "../../../provider/database/pool";
import { referenceOf, SCRATCH } from "../../../provider/database/reference";
import { tablesAfter } from "../../../provider/resources/tables";
import { useResourceDatabase } from "../../support/resources";

const database = useResourceDatabase({ tenantRoles: true });
const { urlEnv } = database;
const sql: typeof database.sql = (statement) => database.sql(statement);

/** Applies migrations to a schema; those of this package by default. */
async function migrated(schemaName: string, directory = tenantMigrationsDir): Promise<string> {
  await sql(`create schema "${schemaName}"`);
  await migrate({ database: urlEnv, schemaName, directory, files: readMigrations(directory) });
  return schemaName;
}

const linesOf = (schemaName: string) =>
  inTransaction(urlEnv, (client) => describeSchema(client, schemaName));

const fingerprintsOf = (...names: string[]) =>
  inTransaction(urlEnv, (client) => fingerprints(client, names));

/** One of each thing that a fingerprint describes, in a folder of its own. */
const rich = `
create type mood as enum ('sad', 'glad');
create domain positive as int not null check (value > 0);
create type pair as (a int, b mood);
create type span as range (subtype = int4);
create sequence numbers increment 2;
create table owners (id int primary key, mood mood default 'sad', tags text[]);
create table things (
  id bigint generated always as identity primary key,
  owner int not null references owners on delete cascade,
  size positive, twice int generated always as (size * 2) stored,
  label text collate "C" default 'x' check (label <> ''),
  other mood[], mine owners
);
create index things_by_label on things (lower(label)) where size > 1;
create table parted (at date) partition by range (at);
create table parted_one partition of parted for values from ('2026-01-01') to ('2027-01-01');
create view seen as select t.id, o.mood from things t join owners o on o.id = t.owner;
create materialized view counted as select count(*) as n from seen;
create function doubled(n int) returns int language sql as 'select n * 2';
create aggregate total(int) (sfunc = int4pl, stype = int, initcond = '0');
create function stamp() returns trigger language plpgsql as 'begin return new; end';
create trigger stamps before insert on things for each row execute function stamp();
create rule nothing as on delete to owners do instead nothing;
alter table owners enable row level security;
create policy own on owners using (id = 1);`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "fingerprint-"));
  writeFileSync(path.join(folder, "1_rich.sql"), `-- migrate:up\n${rich}\n-- migrate:down\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));

it("two schemas that the same migrations made have the same one, whatever is called alike elsewhere", async () => {
  await migrated("tenant_one", folder);
  await migrated("tenant-3", folder);
  const found = await fingerprintsOf("tenant_one", "tenant-3", "not_there");
  expect([...found.keys()].sort()).toEqual(["tenant-3", "tenant_one"]);
  expect(new Set(found.values()).size).toBe(1);
  const lines = await linesOf("tenant_one");
  expect(fingerprintOf(lines)).toBe(found.get("tenant_one"));
  expect(lines.join("\n")).not.toContain("tenant_one");
  const kinds = [
    ...["table owners", "partitioned table parted", "column things.size", "constraint things."],
    ...[
      "index CREATE INDEX things_by_label",
      "sequence numbers",
      "view seen",
      "materialized view counted",
    ],
    ...["CREATE OR REPLACE FUNCTION doubled", "aggregate total", "trigger CREATE TRIGGER stamps"],
    ...["rule CREATE RULE nothing", "policy own", "type mood enum", "type positive domain"],
    ...["type pair composite", "type span range of integer", "column pair.b mood"],
  ];
  expect(kinds.filter((kind) => !lines.some((line) => line.startsWith(kind)))).toEqual([]);
});

test.each([
  ["a column is dropped", "alter table owners drop column tags"],
  ["a column is added", "alter table owners add column more int"],
  ["a type is another", "alter table things alter other type text[]"],
  ["a default is another", "alter table things alter label set default 'y'"],
  ["a column may be null", "alter table things alter owner drop not null"],
  ["a check is gone", "alter table things drop constraint things_label_check"],
  ["a foreign key is gone", "alter table things drop constraint things_owner_fkey"],
  ["an index is gone", "drop index things_by_label"],
  ["a sequence counts otherwise", "alter sequence numbers increment 3"],
  ["a view is another", "create or replace view seen as select id, null::mood as mood from things"],
  ["a view is gone", "drop view seen cascade"],
  [
    "a function is another",
    "create or replace function doubled(n int) returns int language sql as 'select n'",
  ],
  ["a trigger is disabled", "alter table things disable trigger stamps"],
  ["a policy is another", "alter policy own on owners using (id = 2)"],
  ["policies do not count", "alter table owners disable row level security"],
  ["an enum has one more", "alter type mood add value 'so-so'"],
  ["a domain is wider", "alter domain positive drop constraint positive_check"],
  ["a composite type has one more", "alter type pair add attribute c int"],
  ["a rule is gone", "drop rule nothing on owners"],
  ["a partition is cut off", "alter table parted detach partition parted_one"],
  ["a table is unlogged", "alter table things set unlogged"],
])("it is another one where %s", async (_what, change) => {
  const schemaName = await migrated(`tenant_${change.replaceAll(/\W/g, "_").slice(0, 50)}`, folder);
  const before = await linesOf(schemaName);
  await sql(`set search_path = "${schemaName}"`);
  await sql(change);
  await sql("reset search_path");
  const after = await linesOf(schemaName);
  const { missing, added } = compareLines(before, after);
  expect(missing.length + added.length).toBeGreaterThan(0);
  expect((await fingerprintsOf(schemaName)).get(schemaName)).not.toBe(fingerprintOf(before));
});

test.each([
  ["rows", "insert into owners values (1)"],
  ["a grant", "grant select on owners to public"],
  ["a comment", "comment on table owners is 'x'"],
  ["statistics", "analyze owners"],
])("%s change nothing in it", async (what, change) => {
  const schemaName = await migrated(`same_${what.replace(" ", "-")}`, folder);
  const before = await fingerprintsOf(schemaName);
  await sql(`set search_path = "${schemaName}"`);
  await sql(change);
  await sql("reset search_path");
  expect(await fingerprintsOf(schemaName)).toEqual(before);
});

describe("the reference", () => {
  const scratch = () =>
    sql("select nspname from pg_namespace where nspname like 'reference%'").then(
      (rows) => rows.length,
    );
  const of = (directory: string, more: object = {}) =>
    referenceOf({ database: urlEnv, directory, files: readMigrations(directory), ...more });

  it("is that of a tenant, made once, and leaves nothing behind but its lines", async () => {
    const lines = await of(tenantMigrationsDir);
    expect(lines).toEqual(await linesOf(await migrated("tenant_whole")));
    expect(await scratch()).toBe(0);
    expect(
      await sql("select from public.tenant_migration_digests where schema_name like 'reference%'"),
    ).toEqual([]);
    await sql("update public.tenant_references set lines = array['kept']");
    expect(await of(tenantMigrationsDir)).toEqual(["kept"]);
    await sql("delete from public.tenant_references");
    expect(await Promise.all([of(tenantMigrationsDir), of(tenantMigrationsDir)])).toEqual([
      lines,
      lines,
    ]);
  });

  it("is the same where schemas have owners of their own, and no role is left", async () => {
    const roles = () => sql("select rolname from pg_roles where rolname like 'reference%'");
    await sql("delete from public.tenant_references");
    const isolated = await of(folder, { isolate: true });
    await sql("delete from public.tenant_references");
    expect(await of(folder)).toEqual(isolated);
    expect(await roles()).toEqual([]);
  });

  it("of an earlier version has only its files", async () => {
    const files = Object.entries(readMigrations(tenantMigrationsDir)).slice(0, 1);
    const lines = await of(tenantMigrationsDir, { files: Object.fromEntries(files) });
    expect(lines.filter((line) => line.startsWith("table "))).toHaveLength(1);
  });

  it("of files that fail is none, and their scratch schema goes", async () => {
    const bad = mkdtempSync(path.join(tmpdir(), "fingerprint-bad-"));
    writeFileSync(path.join(bad, "1_bad.sql"), "-- migrate:up\nselect 1/0;\n-- migrate:down\n");
    await expect(of(bad)).rejects.toThrow("division by zero");
    expect(await scratch()).toBe(0);
    rmSync(bad, { recursive: true });
  });

  it("that files which fail have not leaves a tenant as it is; where the database fails, that is told", async () => {
    const bad = mkdtempSync(path.join(tmpdir(), "fingerprint-bad-"));
    writeFileSync(path.join(bad, "1_bad.sql"), "-- migrate:up\nselect 1/0;\n-- migrate:down\n");
    const schemaName = await migrated("tenant_without_reference");
    const after = (directory: string) =>
      tablesAfter(
        { database: urlEnv, schemaName, directory, files: readMigrations(directory) },
        false,
      );
    expect(await after(bad)).toEqual({});
    await sql("alter table public.tenant_references rename column lines to other");
    await expect(after(tenantMigrationsDir)).rejects.toThrow('column "lines" does not exist');
    await sql("alter table public.tenant_references rename column other to lines");
    rmSync(bad, { recursive: true });
  });

  it("of a file that was edited since it was read is refused", async () => {
    const copy = mkdtempSync(path.join(tmpdir(), "fingerprint-copy-"));
    for (const file of readdirSync(tenantMigrationsDir)) {
      copyFileSync(path.join(tenantMigrationsDir, file), path.join(copy, file));
    }
    const files = readMigrations(copy);
    const [first = ""] = Object.keys(files);
    writeFileSync(path.join(copy, first), "-- migrate:up\nselect 1;\n-- migrate:down\n");
    await sql("delete from public.tenant_references");
    await expect(of(copy, { files })).rejects.toThrow("was changed just now");
    expect(await scratch()).toBe(0);
    rmSync(copy, { recursive: true });
  });

  it("drops a scratch schema that a killed run left, and none that only looks like one", async () => {
    await sql('create schema "reference_left"; create table reference_left.t ()');
    await sql(`comment on schema "reference_left" is '${SCRATCH}'`);
    await sql('create schema "reference_mine"');
    await sql("delete from public.tenant_references");
    await of(tenantMigrationsDir);
    const left = await sql(
      "select nspname as name from pg_namespace where nspname like 'reference%'",
    );
    expect(left).toEqual([{ name: "reference_mine" }]);
  });
});
