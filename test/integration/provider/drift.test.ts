import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { migrate } from "../../../provider/database/dbmate";
import { driftOf } from "../../../provider/database/drift/drift";
import { ENGINE, type WantedFacets } from "../../../provider/database/drift/facet";
import { readMigrations, tenantMigrationsDir } from "../../../provider/database/migrations";
import { referenceOf } from "../../../provider/database/reference";
import { makeTenants } from "../../support/many-tenants";
import { useResourceDatabase } from "../../support/resources";

const database = useResourceDatabase();
const files = readMigrations(tenantMigrationsDir);

const reference = (some: Record<string, string>) =>
  referenceOf({ database: database.urlEnv, directory: tenantMigrationsDir, files: some });

const drift = (tenants: readonly WantedFacets[], productRoles: string[] = []) =>
  driftOf(database.urlEnv, tenants, {
    ...{ productRoles, isolate: false, files, referenceOf: reference },
  });

const words = (found: Awaited<ReturnType<typeof drift>>) =>
  Object.fromEntries(
    [...found].map(([id, facets]) => [id, facets.map(({ facet, repair }) => [facet, repair])]),
  );

/** All statements that were sent while `work` ran, but for those that only begin, end or set up. */
async function statementsOf(work: () => Promise<unknown>): Promise<string[]> {
  const sent: string[] = [];
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with its own `this`
  const { query } = Client.prototype;
  const spy = jest.spyOn(Client.prototype, "query").mockImplementation(function (
    this: Client,
    ...args: unknown[]
  ) {
    sent.push(String(args[0]));
    return (query as (...all: unknown[]) => unknown).apply(this, args) as never;
  });
  await work().finally(() => spy.mockRestore());
  // A connection is asked by "select" whether it lives.
  const others =
    /^(begin|commit|rollback|set local|select current_setting|select set_config|select$)/;
  return sent.filter((text) => !others.test(text));
}

test("many tenants are compared by as many statements as one, and none of their tables is locked", async () => {
  const tenants = await makeTenants(database, 300);
  // Made once for the database, by a run of the migrations.
  await reference(files);
  const locker = new Client(database.superuserUrl());
  await locker.connect();
  const [changing, other] = [tenants[7]?.id ?? "", tenants[8]?.id ?? ""];
  for (const id of [changing, other]) {
    await database.sql(`alter table "tenant_${id}".routes add column extra int`);
  }
  await locker.query("begin");
  await locker.query(`lock table "tenant_${changing}".routes in access exclusive mode`);
  let found: Awaited<ReturnType<typeof drift>> = new Map();
  const statements = await statementsOf(async () => {
    found = await drift(tenants);
  });
  await locker.end();
  const extra = {
    facet: "fingerprint",
    repair: expect.stringContaining("has column routes.extra") as string,
  };
  // Of a table that somebody changes, nothing is told until that has ended; of another tenant's, all is.
  expect([...found]).toMatchObject([[other, [extra]]]);
  expect([...(await drift(tenants))]).toMatchObject([
    [changing, [extra]],
    [other, [extra]],
  ]);
  // What is there, the reference, the fingerprints, and the tables of the one that differs.
  expect(statements).toHaveLength(4);
});

describe("a tenant that a stack declares is told by what follows from its row:", () => {
  const made = async (status = "active") => {
    const [tenant] = await makeTenants(database, 1);
    const id = tenant?.id ?? randomUUID();
    await database.sql("update public.tenants set status = $2 where id = $1", [id, status]);
    return { id, declared: undefined, repair: "its stack repairs it" };
  };

  it("one that is as it should be has no drift", async () => {
    expect(await drift([await made()])).toEqual(new Map());
  });

  it("its schema, its digests and its tables, which are its stack's to repair, or nobody's", async () => {
    const [gone, pending, dropped, other] = [
      await made(),
      await made(),
      await made(),
      await made(),
    ];
    await database.sql(`drop schema "tenant_${gone.id}" cascade`);
    const file = "20260101000006_create_dispatch_providers.sql";
    await database.sql(
      "delete from public.tenant_migration_digests where schema_name = $1 and file = $2",
      [`tenant_${pending.id}`, file],
    );
    await database.sql(`alter table "tenant_${dropped.id}".commerces drop column name`);
    // Its migrations are of another folder, which is not known here.
    await database.sql(
      "update public.tenant_migration_digests set digest = repeat('0', 64) where schema_name = $1",
      [`tenant_${other.id}`],
    );
    const found = await drift([gone, pending, dropped, other]);
    expect(words(found)).toEqual({
      [gone.id]: [["schema", expect.stringContaining("restore it from a backup")]],
      [pending.id]: [
        ["digests", "its stack repairs it"],
        ["fingerprint", expect.stringMatching(/^tables are not repaired: .* has /)],
      ],
      [dropped.id]: [
        [
          "fingerprint",
          expect.stringMatching(/tables are not repaired: .*lacks column commerces\.name/),
        ],
      ],
    });
  });
});

test("what only a person can repair stops an engine run, so all else waits for it", async () => {
  const [tenant] = await makeTenants(database, 1);
  const id = tenant?.id ?? "";
  const [file] = Object.keys(files);
  await database.sql(
    "update public.tenant_migration_digests set digest = repeat('0', 64) where schema_name = $1 and file = $2",
    [`tenant_${id}`, file],
  );
  await database.sql("update public.tenants set name = 'Not this' where id = $1", [id]);
  const found = await drift(tenant === undefined ? [] : [tenant]);
  expect(words(found)).toEqual({
    [id]: [
      ["row", "not before digests is repaired"],
      ["digests", expect.stringMatching(/^restore 20260101000001_create_commerces.sql/)],
    ],
  });
});

test("migrations that were applied to no more than a part are compared with what that part makes", async () => {
  const schemaName = `tenant_${randomUUID()}`;
  const id = schemaName.slice("tenant_".length);
  const part = Object.fromEntries(Object.entries(files).slice(0, 3));
  await database.sql(`create schema "${schemaName}"`);
  await migrate({
    ...{ database: database.urlEnv, schemaName, directory: tenantMigrationsDir, files },
  });
  await database.sql(
    "insert into public.tenants (id, name, slug, owner) values ($1, 'Part', 'part', 'a/b/c::d')",
    [id],
  );
  await database.sql(
    "delete from public.tenant_migration_digests where schema_name = $1 and not file = any($2)",
    [schemaName, Object.keys(part)],
  );
  const [facets] = [...(await drift([{ id, declared: undefined, repair: "x" }])).values()];
  expect(facets?.map(({ facet }) => facet)).toEqual(["digests", "fingerprint"]);
  expect(facets?.[0]?.found).toContain("20260101000006");
});

test("a schema that somebody opened to everybody is told, and no other", async () => {
  const tenants = await makeTenants(database, 3);
  const [opened, , readable] = tenants.map(({ id }) => `tenant_${id}`);
  const [{ me } = { me: "" }] = await database.sql<{ me: string }>("select current_user as me");
  // A role that only may not make anything there is not one who can use it.
  for (const tenant of tenants) {
    await database.sql(`grant create on schema "tenant_${tenant.id}" to public`);
  }
  await database.sql(`grant usage on schema "${opened}" to public`);
  await database.sql(`grant usage on schema "${readable}" to pg_read_all_data`);
  const found = await drift(tenants, ["pg_read_all_data"]);
  expect(me).not.toBe("pg_read_all_data");
  expect([...found.values()].map((facets) => facets.map((facet) => facet.found))).toEqual([
    ["open to PUBLIC"],
    ["closed"],
  ]);
});

describe("whose a schema is:", () => {
  const schemaOf = async (id: string, isolate: boolean) => {
    const wanted = { id, declared: undefined, repair: ENGINE };
    const declared = (await makeTenants(database, 1))[0]?.declared;
    const found = await driftOf(database.urlEnv, [{ ...wanted, declared }], {
      ...{ productRoles: [], isolate, files, referenceOf: reference },
    });
    return found.get(id)?.find(({ facet }) => facet === "schema");
  };

  it("a role of its own, where each is to have one, is for the engine to give it", async () => {
    const [tenant] = await makeTenants(database, 1);
    expect(await schemaOf(tenant?.id ?? "", false)).toBeUndefined();
    expect(await schemaOf(tenant?.id ?? "", true)).toMatchObject({
      ...{ expected: "it belongs to a role of its own", repair: ENGINE },
    });
  });

  it("another role's, which the connected one may not act as, is for a person to take back", async () => {
    const [tenant] = await makeTenants(database, 1);
    const superuser = new Client(database.superuserUrl());
    await superuser.connect();
    const name = `tenant_${tenant?.id ?? ""}`;
    await superuser.query(`alter schema "${name}" owner to current_user`);
    await superuser.end();
    expect(await schemaOf(tenant?.id ?? "", false)).toMatchObject({
      expected: "it belongs to the service's role",
      repair: expect.stringContaining(`run alter schema "${name}" owner to`) as string,
    });
  });
});
