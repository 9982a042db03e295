import type { Facts, StateFact, TenantFact } from "../../soak/facts";
import { Ledger, type Asked } from "../../soak/ledger";
import { reconcile } from "../../soak/reconcile";

const versions = ["20260101000001", "20260101000002"];
const tables = ["commerces", "operators", "schema_migrations"];
const id = (number: number) => `00000000-0000-4000-8000-00000000000${number}`;

/** What is there when three tenants were set up, by callers with ledger `told`, and nothing is wrong. */
function wellFacts(): { -readonly [name in keyof Facts]: Facts[name] } {
  const tenants = [1, 2, 3].map((number) => ({
    id: id(number),
    slug: `tenant-${number}`,
    name: `Tenant ${number}`,
    status: "active",
    adminId: `user-${number}`,
    stack: `tenant-${number}`,
  }));
  return {
    tenants,
    operations: tenants.map((tenant, index) => ({
      id: `operation-${index + 1}`,
      slug: tenant.slug,
      status: "succeeded",
      tenantId: tenant.id,
      adminEmail: `admin@${tenant.slug}.example`,
      attempts: 1,
      retries: 0,
    })),
    users: tenants.map(({ slug, adminId }) => ({ id: adminId, email: `admin@${slug}.example` })),
    memberships: tenants.map((tenant) => ({
      tenantId: tenant.id,
      userId: tenant.adminId,
      role: "ADMIN",
    })),
    keys: [{ key: "key-3", operationId: "operation-3" }],
    schemas: new Map(
      tenants.map((tenant) => [`tenant_${tenant.id}`, { versions, tables, digests: 2 }]),
    ),
    states: new Map(tenants.map((tenant) => [tenant.stack, stateOf(tenant)])),
    spareStacks: [],
    locks: [],
    jobs: 0,
    expected: { versions, tables },
  };
}

function stateOf({ id: tenant, adminId }: TenantFact): StateFact {
  const resources = [
    { type: "Stack", id: "" },
    { type: "Record", id: tenant },
    { type: "AdminUser", id: adminId ?? "" },
    { type: "Schema", id: `app.tenant_${tenant}` },
    { type: "Migrations", id: `tenant_${tenant}` },
    { type: "Membership", id: `${tenant}/${adminId ?? ""}` },
  ];
  return { resources, pending: 0 };
}

const wanted = (number: number) => ({
  slug: `tenant-${number}`,
  name: `Tenant ${number}`,
  adminEmail: `admin@tenant-${number}.example`,
});

/** A caller who was told 201, one who was told 202, two with one key, one who came too late, one bad. */
function told(...more: readonly Asked[]): Ledger {
  const ledger = new Ledger();
  ledger.asked.push(
    { what: "set up", wanted: wanted(1), outcome: { status: 201, id: id(1) } },
    { what: "follow", wanted: wanted(2), outcome: { status: 202, id: "operation-2" } },
    { what: "retry", wanted: wanted(3), key: "key-3", outcome: { status: 201, id: id(3) } },
    { what: "retry", wanted: wanted(3), key: "key-3", outcome: "no answer" },
    { what: "again", wanted: wanted(1), outcome: { status: 409 } },
    {
      what: "bad",
      wanted: { ...wanted(4), slug: "bad" },
      refusal: 400,
      outcome: { status: 400 },
    },
    ...more,
  );
  ledger.followed.push({
    operation: "operation-2",
    slug: "tenant-2",
    status: "succeeded",
    tenantId: id(2),
  });
  return ledger;
}

/** The names of the checks that fail. */
function failed(facts: Facts, ledger = told()): string[] {
  const checks = reconcile(ledger, facts);
  return checks.filter(({ faults }) => faults.length > 0).map(({ what }) => what);
}

/** A map like another, but for one entry. */
function changed<T>(map: ReadonlyMap<string, T>, key: string, change: (value: T) => T) {
  const value = map.get(key);
  if (value === undefined) throw new Error(`there is no ${key}`);
  return new Map([...map, [key, change(value)]]);
}

function tenantFact({ tenants }: Facts, index: number): TenantFact {
  const tenant = tenants[index];
  if (tenant === undefined) throw new Error(`there is no tenant ${index}`);
  return tenant;
}

/** A list whose first element has other properties. */
function firstChanged<T>([first, ...rest]: readonly T[], changes: Partial<T>): T[] {
  return first === undefined ? [] : [{ ...first, ...changes }, ...rest];
}

test("where nothing is wrong, every check holds, and has looked at something", () => {
  expect(failed(wellFacts())).toEqual([]);
  const blind = reconcile(told(), wellFacts()).filter(({ looked }) => looked === 0);
  expect(blind.map(({ what }) => what)).toEqual([
    "422: the key is another request's",
    "503: says when to come back",
    "a read is answered rightly",
  ]);
});

describe("what is there is not what it must be:", () => {
  const well = wellFacts();
  const schema = `tenant_${id(1)}`;
  test.each<[string, Partial<Facts>, string]>([
    [
      "a tenant is there twice",
      { tenants: [...well.tenants, { ...tenantFact(well, 0), id: id(9) }] },
      "one tenant has a slug",
    ],
    [
      "a tenant is lost",
      { tenants: well.tenants.slice(1) },
      "201: the tenant is there, and active",
    ],
    [
      "a tenant is half made",
      { tenants: firstChanged(well.tenants, { status: "provisioning" }) },
      "a tenant is active",
    ],
    [
      "a tenant has another name",
      { tenants: firstChanged(well.tenants, { name: "Other" }) },
      "201: the tenant is there, and active",
    ],
    [
      "a set-up was accepted twice",
      { operations: [...well.operations, ...well.operations.slice(0, 1)] },
      "one set-up was accepted for a slug",
    ],
    ["a set-up is lost", { operations: well.operations.slice(2) }, "202: its operation is there"],
    [
      "a set-up failed",
      { operations: firstChanged(well.operations, { status: "failed", tenantId: null }) },
      "an accepted set-up succeeded",
    ],
    [
      "a set-up that nobody asked for",
      { operations: firstChanged(well.operations, { slug: "unknown" }) },
      "and somebody asked for it",
    ],
    [
      "a bad request made a tenant",
      { operations: firstChanged(well.operations, { slug: "bad" }) },
      "and makes nothing",
    ],
    [
      "a schema is an orphan",
      { schemas: new Map([...well.schemas, ["tenant_x", { versions, tables, digests: 2 }]]) },
      "a schema has its tenant",
    ],
    ["a schema is missing", { schemas: new Map() }, "its schema has every migration once"],
    [
      "a migration is missing",
      { schemas: changed(well.schemas, schema, (is) => ({ ...is, versions: versions.slice(1) })) },
      "its schema has every migration once",
    ],
    [
      "a table is missing",
      { schemas: changed(well.schemas, schema, (is) => ({ ...is, tables: tables.slice(1) })) },
      "its schema has every migration once",
    ],
    [
      "a digest is missing",
      { schemas: changed(well.schemas, schema, (is) => ({ ...is, digests: 1 })) },
      "its schema has every migration once",
    ],
    [
      "an admin is there twice",
      { users: [...well.users, { id: "user-9", email: "ADMIN@tenant-1.example" }] },
      "a user is there once",
    ],
    [
      "a user belongs to nobody",
      { users: [...well.users, { id: "user-9", email: "nobody@tenant-1.example" }] },
      "and belongs to a tenant",
    ],
    [
      "an admin is another one's",
      { users: firstChanged(well.users, { email: "other@tenant-1.example" }) },
      "its admin is who was asked for",
    ],
    [
      "a membership is missing",
      { memberships: well.memberships.slice(1) },
      "it has one membership, the admin's",
    ],
    ["a state is missing", { states: new Map() }, "its state has the five steps"],
    [
      "a step is not in the state",
      {
        states: changed(well.states, "tenant-1", (is) => ({
          ...is,
          resources: is.resources.slice(0, -1),
        })),
      },
      "its state has the five steps",
    ],
    [
      "the state is another tenant's",
      { states: changed(well.states, "tenant-1", () => stateOf(tenantFact(well, 1))) },
      "its state has the five steps",
    ],
    [
      "an operation is pending in the state",
      { states: changed(well.states, "tenant-1", (is) => ({ ...is, pending: 1 })) },
      "its state has the five steps",
    ],
    [
      "a stack is an orphan",
      { states: new Map([...well.states, ["left", { resources: [], pending: 0 }]]) },
      "a stack has its tenant",
    ],
    ["a job is left", { jobs: 1 }, "no job is left"],
    ["a lock is left", { locks: ["organization/tenant-service/x/1.json"] }, "no stack is locked"],
    [
      "a key stands for another set-up",
      { keys: [{ key: "key-3", operationId: "operation-1" }] },
      "a key stands for one set-up",
    ],
  ])("%s", (_, changes, check) => {
    expect(failed({ ...wellFacts(), ...changes })).toContain(check);
  });
});

describe("a caller was told what is not so:", () => {
  const good = { what: "set up", wanted: wanted(1) };
  test.each<[string, Asked, string]>([
    [
      "201 with another tenant's id",
      { ...good, outcome: { status: 201, id: id(2) } },
      "201: the tenant is there, and active",
    ],
    [
      "201 for a slug that another caller got",
      { ...good, what: "race", outcome: { status: 201, id: id(1) } },
      "of all who asked for a slug, one was accepted",
    ],
    [
      "202 with an operation that is not there",
      { ...good, outcome: { status: 202, id: "nothing" } },
      "202: its operation is there",
    ],
    [
      "409 for a slug that is free",
      { ...good, wanted: { ...wanted(5) }, outcome: { status: 409 } },
      "409: the slug is an active tenant's",
    ],
    [
      "422 for a key that was sent with one body only",
      { ...good, key: "key-1", outcome: { status: 422 } },
      "422: the key is another request's",
    ],
    [
      "503 without a time to come back",
      { ...good, outcome: { status: 503 } },
      "503: says when to come back",
    ],
    ["500", { ...good, outcome: { status: 500 } }, "a good request has no other answer"],
    [
      "nothing, for a minute",
      { ...good, outcome: "timed out" },
      "a good request has no other answer",
    ],
    [
      "201 for a bad request",
      { ...good, refusal: 400, outcome: { status: 201, id: id(1) } },
      "a bad request is refused as it must be",
    ],
    [
      "401 where the body was wrong",
      { ...good, refusal: 400, outcome: { status: 401 } },
      "a bad request is refused as it must be",
    ],
  ])("%s", (_, ask, check) => {
    expect(failed(wellFacts(), told(ask))).toContain(check);
  });

  test("that its operation failed", () => {
    const ledger = told();
    ledger.followed.push({ operation: "operation-1", slug: "tenant-1", status: "failed" });
    expect(failed(wellFacts(), ledger)).toEqual(["an operation that was followed succeeded"]);
  });
});
