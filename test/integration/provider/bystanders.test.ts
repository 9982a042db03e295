import { hashPassword } from "../../../provider/contract/passwords";
import { tenantMigrationsDir } from "../../../provider/database/migrations";
import { adminMembership, adminUser, migrations, tenantRecord } from "../../../provider/resources";
import { checked, useResourceDatabase } from "../../support/resources";

const database = useResourceDatabase();
const { urlEnv } = database;
const common = { urlEnv, forceDestroy: true };

let hash: string;
let otherHash: string;
beforeAll(async () => {
  hash = await hashPassword("correct horse battery", "somebody");
  otherHash = await hashPassword("another one entirely", "somebody");
});

let count = 0;

/** An active tenant with its admin and a migrated schema, and what its resources' states hold. */
async function whole(email = `admin${++count}@acme.example`) {
  const slug = `tenant-${++count}`;
  const record = await tenantRecord.create({
    ...{ ...common, name: "T", slug, owner: slug, tenantId: undefined },
  });
  const tenantId = record.id;
  type Admin = Parameters<typeof adminUser.create>[0];
  const admin = await adminUser.create(
    checked<Admin>(
      adminUser.check(
        {},
        { ...common, tenantId, email, password: hash, firstName: "A", lastName: "D" },
      ),
    ),
  );
  const schemaName = `tenant_${tenantId}`;
  await database.sql(`create schema "${schemaName}"`);
  type Files = Parameters<typeof migrations.create>[0];
  const files = await migrations.create(
    checked<Files>(
      migrations.check({}, { ...common, schemaName, migrationsDir: tenantMigrationsDir }),
    ),
  );
  type Link = Parameters<typeof adminMembership.create>[0];
  const membership = await adminMembership.create(
    checked<Link>(
      adminMembership.check({}, { ...common, tenantId, userId: admin.id, status: "active" }),
    ),
  );
  return { tenantId, schemaName, record, admin, files, membership };
}

/** A member who came otherwise than by a set-up. */
async function addMember(...tenantIds: string[]): Promise<string> {
  const [user] = await database.sql<{ id: string }>(
    `insert into users (email, password_hash, first_name, last_name)
    values ($1, $2, 'M', 'B') returning id`,
    [`member${++count}@acme.example`, hash],
  );
  const id = user?.id ?? "";
  for (const tenantId of tenantIds) {
    await database.sql("insert into tenant_users values ($1, $2, 'MEMBER')", [tenantId, id]);
  }
  return id;
}

/** Every row of the control tables, and every table of the tenants' schemas, each in a line. */
async function everything(): Promise<string[]> {
  const rows = await database.sql<{ line: string }>(
    `select 'tenant ' || id || ' ' || to_jsonb(t) as line from tenants t
    union all select 'user ' || id || ' ' || to_jsonb(u) from users u
    union all select 'member ' || user_id || ' of ' || tenant_id || ' ' || role from tenant_users
    union all select 'digest ' || schema_name || ' ' || file from tenant_migration_digests
    union all select 'table ' || schemaname || ' ' || tablename from pg_tables
      where schemaname like 'tenant\\_%'`,
  );
  return rows.map(({ line }) => line).sort();
}

/** The lines that are not as they were before the work. */
async function changedBy(work: () => Promise<unknown>): Promise<string[]> {
  const before = await everything();
  await work();
  const after = await everything();
  return [
    ...before.filter((line) => !after.includes(line)),
    ...after.filter((line) => !before.includes(line)),
  ];
}

test("the end of an admin's membership takes no other member of the tenant, and none of the admin's elsewhere", async () => {
  const mine = await whole("shared@acme.example");
  const other = await whole("shared@acme.example");
  expect(other.admin.id).toBe(mine.admin.id);
  await addMember(mine.tenantId, other.tenantId);
  const { membership, tenantId, admin } = mine;
  const changed = await changedBy(() => adminMembership.delete(membership.id, membership.outs));
  const [line, ...tenants] = changed.sort();
  expect(line).toBe(`member ${admin.id} of ${tenantId} ADMIN`);
  expect(tenants).toHaveLength(2);
  for (const tenant of tenants) expect(tenant).toContain(`tenant ${tenantId} `);
});

test("a set-up that is run again leaves alone the password of an admin who is a member by now", async () => {
  const { admin } = await whole();
  const again = { ...admin.outs, password: otherHash, firstName: "Eve" };
  const changed = await changedBy(() => adminUser.create(again));
  expect(changed.filter((line) => line.startsWith("user "))).toEqual([]);
});

test("the end of an admin takes the user that its set-up made, and nobody else", async () => {
  const [mine, other] = [await whole(), await whole()];
  const member = await addMember();
  await adminMembership.delete(mine.membership.id, mine.membership.outs);
  const changed = await changedBy(async () => {
    await adminUser.delete(mine.admin.id, mine.admin.outs);
    // Whom no set-up made is no set-up's to take.
    await adminUser.delete(member, { ...mine.admin.outs });
  });
  expect(changed.some((line) => line.startsWith(`user ${mine.admin.id}`))).toBe(true);
  expect(changed.filter((line) => line.startsWith("user "))).toHaveLength(1);
  expect(changed.join()).not.toContain(other.tenantId);
});

test("the end of a tenant's migrations takes its tables and digests, and no other tenant's", async () => {
  const [mine, other] = [await whole(), await whole()];
  const { files, schemaName, tenantId } = mine;
  const changed = await changedBy(() => migrations.delete(files.id, files.outs));
  expect(changed.filter((line) => line.startsWith("table ")).length).toBeGreaterThan(0);
  expect(changed.filter((line) => line.startsWith("digest ")).length).toBeGreaterThan(0);
  expect(changed.filter((line) => line.startsWith("tenant "))).toHaveLength(2);
  for (const line of changed) {
    expect([schemaName, tenantId].some((name) => line.includes(name))).toBe(true);
    expect(line).not.toContain(other.tenantId);
  }
});

test("the end of a tenant's record takes its row, and what it alone had, and no other tenant's", async () => {
  const [mine, other] = [await whole(), await whole()];
  const both = await addMember(mine.tenantId, other.tenantId);
  const changed = await changedBy(() => tenantRecord.delete(mine.record.id, mine.record.outs));
  expect(
    changed.map((line) => line.split(" ").slice(0, 4).join(" ").split(" {")[0]).sort(),
  ).toEqual(
    [
      `member ${mine.admin.id} of ${mine.tenantId}`,
      `member ${both} of ${mine.tenantId}`,
      `tenant ${mine.tenantId}`,
      `user ${mine.admin.id}`,
    ].sort(),
  );
});

test.each([false, true])(
  "a kept tenant's end, and a change, touch its row alone (%s)",
  async (keep) => {
    const [mine] = [await whole(), await whole()];
    const { id, outs } = mine.record;
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    const changed = await changedBy(() =>
      keep
        ? tenantRecord.delete(id, { ...outs, forceDestroy: false })
        : tenantRecord.update(id, outs, { ...outs, name: "Other" }),
    );
    said.mockRestore();
    expect(changed).toHaveLength(2);
    for (const line of changed) expect(line).toContain(`tenant ${id} `);
  },
);
