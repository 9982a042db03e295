import type { Facts, OperationFact, StateFact, TenantFact } from "../../soak/facts";
import { Ledger, type Asked, type VerbAsked } from "../../soak/ledger";
import { reconcile } from "../../soak/reconcile";

const versions = ["20260101000001", "20260101000002"];
const tables = ["commerces", "operators", "schema_migrations"];
const rights = ["product USAGE"];
const schemaFact = { versions, tables, digests: 2, rights, usable: 2 };
const id = (number: number) => `00000000-0000-4000-8000-00000000000${number}`;

/** A tenant that was set up, and is suspended or deleted since where that is said. */
function tenantNumber(number: number, status: string): TenantFact {
  return {
    ...{ id: id(number), slug: `tenant-${number}`, name: `Tenant ${number}`, status },
    ...{ wanted: status, stack: `tenant-${number}`, adminId: `user-${number}` },
    owner: `organization/tenant-service/tenant-${number}::${id(number)}`,
    adminEmail: `admin@tenant-${number}.example`,
  };
}

/** An operation that took from second `from` to second `to`. */
function operationOf(kind: string, number: number, from: number, to: number): OperationFact {
  const startedAt = from * 1_000 + 100;
  return {
    ...{ id: `${kind}-${number}`, kind, slug: `tenant-${number}`, tenantId: id(number) },
    request: {
      name: `Tenant ${number}`,
      ...(kind === "purge" ? { slug: `tenant-${number}` } : {}),
    },
    ...{ status: "succeeded", attempts: 1, retries: 0, startedAt, createdAt: from * 1_000 },
    ...{ appliedAt: to * 1_000, finishedAt: to * 1_000 + 50 },
  };
}

/**
 * What is there when three tenants were set up, of which the second is suspended and the third deleted, and a
 * fourth that was purged, as was a fifth that was imported, by callers with ledger `told`, and nothing is wrong.
 */
function wellFacts(): { -readonly [name in keyof Facts]: Facts[name] } {
  const statuses = ["active", "suspended", "deleted"];
  const tenants = statuses.map((status, index) => tenantNumber(index + 1, status));
  const rightsOf = ({ status }: TenantFact) => (status === "active" ? rights : []);
  return {
    tenants,
    operations: [
      ...[1, 2, 3, 4].map((number) => operationOf("setup", number, 1, 2)),
      operationOf("suspend", 2, 10, 11),
      operationOf("delete", 3, 10, 11),
      operationOf("delete", 4, 10, 11),
      operationOf("purge", 4, 12, 13),
      operationOf("import", 6, 1, 2),
      operationOf("delete", 6, 10, 11),
      operationOf("purge", 6, 12, 13),
    ],
    wanted: tenants.map((tenant) => tenant.id),
    users: tenants.map(({ slug, adminId }) => ({
      id: adminId ?? "",
      email: `admin@${slug}.example`,
    })),
    memberships: tenants.map((tenant) => ({
      tenantId: tenant.id,
      userId: tenant.adminId ?? "",
      role: "ADMIN",
    })),
    keys: [
      { key: "key-3", operationId: "setup-3" },
      { key: "key-of-verb", operationId: "delete-3" },
    ],
    schemas: new Map(
      tenants.map((tenant) => [`tenant_${tenant.id}`, { ...schemaFact, rights: rightsOf(tenant) }]),
    ),
    states: new Map(tenants.map((tenant) => [tenant.stack ?? "", stateOf(tenant)])),
    digested: tenants.map((tenant) => `tenant_${tenant.id}`),
    ownerRoles: ["tenants", ...tenants.map((tenant) => `tenant_${tenant.id}`)],
    ...{ spareStacks: [], doomedStacks: [], advisoryLocks: [], locks: [], jobs: 0 },
    ...{ productRole: "product", expected: { versions, tables } },
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

/** When a set-up of the ledger is asked for and answered, in ms. */
const early = { sentAt: 1_000, endedAt: 3_000 };

/** A verb that was sent at a second, and answered a second later. */
function verb(
  name: VerbAsked["verb"],
  number: number,
  second: number,
  status: number | "no answer" | "not sent",
  more: Partial<VerbAsked> = {},
): VerbAsked {
  return {
    ...{ what: "send a verb", tenantId: id(number), verb: name, answer: {} },
    ...{ body: name === "purge" ? { slug: `tenant-${number}` } : {} },
    ...{ sentAt: second * 1_000, endedAt: second * 1_000 + 1_500 },
    outcome: typeof status === "string" ? status : { status },
    ...more,
  };
}

const conflict = { answer: { code: "TENANT_CONFLICT" } };

/** A caller who was told 201, one who was told 202, two with one key, one who came too late, one bad. */
function told(...more: readonly (Asked | VerbAsked)[]): Ledger {
  const ledger = new Ledger();
  const [first, second, third] = [1, 2, 3].map((number) => ({ wanted: wanted(number), ...early }));
  if (first === undefined || second === undefined || third === undefined) throw new Error("no");
  ledger.asked.push(
    { what: "set up", ...first, outcome: { status: 201, id: id(1) } },
    { what: "follow", ...second, outcome: { status: 202, id: "setup-2" } },
    { what: "retry", ...third, key: "key-3", outcome: { status: 201, id: id(3) } },
    { what: "retry", ...third, key: "key-3", outcome: "no answer" },
    { ...early, what: "set up", wanted: wanted(4), outcome: { status: 201, id: id(4) } },
    { what: "again", ...first, message: "The slug tenant-1 is taken", outcome: { status: 409 } },
    {
      ...{ what: "bad", ...early, wanted: { ...wanted(4), slug: "bad" } },
      ...{ refusal: 400, outcome: { status: 400 } },
    },
  );
  ledger.followed.push({
    operation: "setup-2",
    slug: "tenant-2",
    status: "succeeded",
    tenantId: id(2),
  });
  const gone = (number: number) => ({ answer: { ...wanted(number), status: "deleted" } });
  const busy = { code: "TENANT_BUSY", message: "Operation suspend-2 (suspend) of the tenant is" };
  ledger.verbs.push(
    verb("view", 1, 4, 200, { answer: { ...wanted(1), status: "active" } }),
    verb("suspend", 2, 10, 202, { answer: { id: "suspend-2" } }),
    verb("restore", 2, 10, 409, { answer: busy }),
    verb("restore", 2, 14, 409, conflict),
    verb("delete", 3, 10, 200, { ...gone(3), key: "key-of-verb" }),
    verb("delete", 3, 12, "no answer", { key: "key-of-verb" }),
    verb("delete", 4, 10, 200, gone(4)),
    verb("purge", 4, 12, 204),
    verb("view", 4, 14, 404),
    verb("delete", 6, 10, 200, gone(6)),
    verb("purge", 6, 12, 204),
    verb("view", 4, 14, 401, { refusal: 401 }),
  );
  ledger.exports.push({ tenantId: id(1), fault: undefined });
  ledger.imports.push({ slug: "tenant-6", name: "Tenant 6", id: id(6), outcome: "made" });
  for (const ask of more) {
    if ("verb" in ask) ledger.verbs.push(ask);
    else ledger.asked.push(ask);
  }
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
    "one that was released has none",
  ]);
});

describe("what is there is not what it must be:", () => {
  const well = wellFacts();
  const schema = `tenant_${id(1)}`;
  const others = well.operations.slice(1);
  const changedSetUp = (changes: Partial<OperationFact>) => ({
    operations: firstChanged(well.operations, changes),
  });
  test.each<[string, Partial<Facts>, string]>([
    [
      "a tenant is there twice",
      { tenants: [...well.tenants, { ...tenantFact(well, 0), id: id(9) }] },
      "one tenant has a slug",
    ],
    [
      "a tenant that nobody made",
      { tenants: [...well.tenants, tenantNumber(9, "active")] },
      "a tenant has operations",
    ],
    [
      "a tenant is lost",
      { tenants: well.tenants.slice(1) },
      "a tenant is what its operations made of it",
    ],
    [
      "a tenant is half made",
      { tenants: firstChanged(well.tenants, { status: "provisioning" }) },
      "a tenant has the status that is wanted",
    ],
    [
      "a tenant is still there after its purge",
      { tenants: [...well.tenants, tenantNumber(4, "deleted")] },
      "a tenant is what its operations made of it",
    ],
    [
      "a tenant has another name",
      { tenants: firstChanged(well.tenants, { name: "Other" }) },
      "the answers about a tenant, and its end, are those of some order",
    ],
    [
      "a tenant that nobody wants has an owner",
      { tenants: firstChanged(well.tenants, { wanted: null }) },
      "one that was released has none",
    ],
    [
      "a tenant has another owner",
      { tenants: firstChanged(well.tenants, { owner: "organization/tenant-service/x::y" }) },
      "and one owner, its stack",
    ],
    [
      "an acknowledged verb is lost",
      {
        tenants: well.tenants.map((tenant) => ({ ...tenant, status: "active", wanted: "active" })),
      },
      "the answers about a tenant, and its end, are those of some order",
    ],
    [
      "a set-up was accepted twice",
      { operations: [...well.operations, ...well.operations.slice(0, 1)] },
      "a tenant is what its operations made of it",
    ],
    [
      "two tenants had one slug",
      { operations: [...well.operations, { ...operationOf("setup", 5, 3, 4), slug: "tenant-1" }] },
      "at no time had two tenants one slug",
    ],
    [
      "two operations of a tenant were alive at once",
      { operations: [...well.operations, operationOf("suspend", 2, 10.5, 12)] },
      "of one tenant one operation is alive at a time",
    ],
    ["a set-up is lost", { operations: others }, "201: the tenant was set up"],
    ["a followed set-up is lost", { operations: others.slice(1) }, "202: its operation is there"],
    [
      "an operation that is followed is lost",
      { operations: well.operations.filter(({ kind }) => kind !== "suspend") },
      "202 of a verb: its operation is there",
    ],
    ["a set-up failed", changedSetUp({ status: "failed" }), "an accepted operation succeeded"],
    [
      "a set-up that nobody asked for",
      changedSetUp({ slug: "unknown" }),
      "and somebody asked for it",
    ],
    [
      "an import that nobody began",
      { operations: [...well.operations, operationOf("import", 9, 20, 21)] },
      "and somebody asked for it",
    ],
    [
      "a tenant was imported twice",
      {
        operations: [...well.operations, { ...operationOf("import", 6, 20, 21), tenantId: id(9) }],
      },
      "an import made its tenant",
    ],
    [
      "a verb that nobody sent",
      { operations: [...well.operations, operationOf("delete", 1, 20, 21)] },
      "and somebody asked for it",
    ],
    [
      "a verb was done in a status that it is not for",
      { operations: [...well.operations, operationOf("restore", 1, 20, 21)] },
      "a tenant is what its operations made of it",
    ],
    ["a bad request made a tenant", changedSetUp({ slug: "bad" }), "and makes nothing"],
    [
      "what is wanted is not there",
      { wanted: [...well.wanted, id(4)] },
      "a tenant that is wanted is there",
    ],
    [
      "an active tenant is closed to the product",
      { schemas: changed(well.schemas, schema, (is) => ({ ...is, rights: [] })) },
      "the product can use it while it is active, and nobody else ever",
    ],
    [
      "a suspended tenant is open",
      { schemas: changed(well.schemas, `tenant_${id(2)}`, (is) => ({ ...is, rights })) },
      "the product can use it while it is active, and nobody else ever",
    ],
    [
      "a tenant is open to a stranger",
      {
        schemas: changed(well.schemas, schema, (is) => ({
          ...is,
          rights: [...rights, "stranger USAGE"],
        })),
      },
      "the product can use it while it is active, and nobody else ever",
    ],
    [
      "the product may not write a table",
      { schemas: changed(well.schemas, schema, (is) => ({ ...is, usable: 1 })) },
      "the product can use it while it is active, and nobody else ever",
    ],
    ["digests are nobody's", { digested: [...well.digested, "tenant_x"] }, "so have digests"],
    ["a role is nobody's", { ownerRoles: ["tenant_x"] }, "so has a schema's role"],
    ["a stack is still to be removed", { doomedStacks: ["x"] }, "no stack is still to be removed"],
    ["a session holds a lock", { advisoryLocks: ["1 2"] }, "no advisory lock is held"],
    [
      "a schema is an orphan",
      { schemas: new Map([...well.schemas, ["tenant_x", schemaFact]]) },
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
      { keys: [{ key: "key-3", operationId: "setup-1" }] },
      "a key stands for one set-up",
    ],
  ])("%s", (_, changes, check) => {
    expect(failed({ ...wellFacts(), ...changes })).toContain(check);
  });
});

describe("a caller was told what is not so:", () => {
  const good = { what: "set up", wanted: wanted(1), ...early };
  const order = "the answers about a tenant, and its end, are those of some order";
  const taken = "The slug tenant-5 is taken";
  const nameless = { code: "TENANT_BUSY", message: "Another operation is under way" };
  const stranger = { code: "TENANT_BUSY", message: "Operation delete-3 (delete) of the tenant" };
  const viewed = (status: string) => ({ answer: { ...wanted(1), status } });
  test.each<[string, Asked | VerbAsked, string]>([
    [
      "201 with another tenant's id",
      { ...good, outcome: { status: 201, id: id(2) } },
      "201: the tenant was set up",
    ],
    [
      "201 for a slug that another caller got",
      { ...good, what: "race", outcome: { status: 201, id: id(1) } },
      "of all who asked, one was told that a tenant is theirs",
    ],
    [
      "202 with an operation that is not there",
      { ...good, outcome: { status: 202, id: "nothing" } },
      "202: its operation is there",
    ],
    [
      "409 for a slug that is free",
      { ...good, wanted: wanted(5), message: taken, outcome: { status: 409 } },
      "409: somebody else had the slug",
    ],
    [
      "409 for another reason",
      { ...good, message: "No", outcome: { status: 409 } },
      "409: says that the slug is taken",
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
    ["that a verb was done which was not", verb("suspend", 1, 20, 200), order],
    ["that a tenant is gone which is there", verb("view", 1, 20, 404), order],
    ["that a tenant is there which is gone", verb("view", 4, 20, 200, viewed("active")), order],
    ["what a tenant was not yet", verb("view", 1, 5, 200, viewed("suspended")), order],
    ["409 for a verb that fits", verb("suspend", 1, 20, 409, conflict), order],
    ["500 for a verb", verb("suspend", 1, 20, 500), "a good verb has no other answer"],
    [
      "200 for a bad verb",
      verb("suspend", 1, 20, 200, { refusal: 403 }),
      "a bad verb is refused as it must be",
    ],
    [
      "503 for a verb, without a time to come back",
      verb("suspend", 1, 20, 503),
      "503 of a verb: says when to come back",
    ],
    [
      "202 for a verb, with another operation",
      verb("delete", 3, 10, 202, { answer: { id: "suspend-2" } }),
      "202 of a verb: its operation is there",
    ],
    [
      "409 for an operation that is not named",
      verb("resume", 2, 10, 409, { answer: nameless }),
      "409: another operation is under way, which is named",
    ],
    [
      "409 for an operation of another tenant",
      verb("resume", 2, 10, 409, { answer: stranger }),
      "409: another operation is under way, which is named",
    ],
    [
      "409 for an operation that was over long before",
      verb("resume", 2, 90, 409, {
        answer: { ...stranger, message: "Operation suspend-2 (suspend) of the tenant" },
      }),
      "409: another operation is under way, which is named",
    ],
    [
      "409 for a slug that nobody has, by a verb",
      verb("change", 1, 20, 409, {
        ...{ body: { slug: "tenant-5" }, answer: { code: "TENANT_CONFLICT", message: taken } },
      }),
      "409: somebody else had the slug",
    ],
    [
      "409 for a key that was accepted before",
      verb("delete", 3, 14, 409, { ...conflict, key: "key-of-verb" }),
      "a verb's key stands for one operation",
    ],
  ])("%s", (_, ask, check) => {
    expect(failed(wellFacts(), told(ask))).toContain(check);
  });

  const imported = { slug: "tenant-6", name: "Tenant 6", id: id(6), outcome: "made" };
  test.each([
    ["that another tenant was imported", { ...imported, id: id(1) }],
    ["that it was imported with another name", { ...imported, name: "Tenant 1" }],
    ["that it cannot be imported", { ...imported, id: undefined, outcome: "1: no" }],
  ])("%s", (_, wrong) => {
    const ledger = told();
    ledger.imports.splice(0, 1, wrong);
    expect(failed(wellFacts(), ledger)).toEqual(["an import made its tenant"]);
  });

  test("that a whole archive is one, which it is not", () => {
    const ledger = told();
    ledger.exports.push({ tenantId: id(1), fault: "it was cut off" });
    expect(failed(wellFacts(), ledger)).toEqual(["an archive that came whole can be read"]);
  });

  test("that its operation failed", () => {
    const ledger = told();
    ledger.followed.push({ operation: "setup-1", slug: "tenant-1", status: "failed" });
    expect(failed(wellFacts(), ledger)).toEqual(["an operation that was followed succeeded"]);
  });
});

const suspendedFirst = (): Facts => ({
  ...wellFacts(),
  tenants: firstChanged(wellFacts().tenants, { status: "suspended", wanted: "suspended" }),
  operations: [...wellFacts().operations, operationOf("suspend", 1, 20, 21)],
  schemas: changed(wellFacts().schemas, `tenant_${id(1)}`, (is) => ({ ...is, rights: [] })),
});

test("what nobody was told may have been done or not", () => {
  const unanswered = told(verb("suspend", 1, 20, "no answer"), verb("delete", 1, 21, "no answer"));
  expect(failed(wellFacts(), unanswered)).toEqual([]);
  expect(failed(suspendedFirst(), unanswered)).toEqual([]);
});

test("what was never sent has done nothing", () => {
  const unsent = told(verb("suspend", 1, 20, "not sent"));
  expect(failed(wellFacts(), unsent)).toEqual([]);
  expect(failed(suspendedFirst(), unsent)).toEqual([
    "the answers about a tenant, and its end, are those of some order",
    "and somebody asked for it",
  ]);
});
