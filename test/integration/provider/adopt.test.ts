import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { adminMembership, adminUser, migrations, tenantRecord } from "../../../provider/resources";
import { checked, useResourceDatabase } from "../../support/resources";

const database = useResourceDatabase();
const directory = mkdtempSync(path.join(tmpdir(), "adopt-"));
afterAll(() => rmSync(directory, { recursive: true }));

const first = "create table notes (id int primary key, words text)";
const second = "create index notes_words on notes (words)";
const write = (file: string, sql: string) => {
  writeFileSync(path.join(directory, file), `-- migrate:up\n${sql};\n-- migrate:down\n`);
};
beforeEach(() => {
  write("1_notes.sql", first);
  write("2_words.sql", second);
});

type RecordInputs = Parameters<typeof tenantRecord.create>[0];
type MigrationInputs = Parameters<typeof migrations.create>[0];

const { urlEnv } = database;
const ours = "o/p/ours::acme";
let count = 0;

interface Declared {
  readonly slug: string;
  readonly tenantId?: string;
  readonly owner?: string;
  readonly adopt?: boolean;
  readonly email?: string;
  readonly generation?: number;
}

const recordOf = ({ slug, tenantId, owner = ours, adopt = true, generation }: Declared) =>
  checked<RecordInputs>(
    tenantRecord.check(
      {},
      {
        ...{ urlEnv, name: "Acme", slug, owner, forceDestroy: false },
        ...(adopt ? { adopt } : {}),
        ...(tenantId === undefined ? {} : { tenantId }),
        ...(generation === undefined ? {} : { generation }),
      },
    ),
  );

const migrationsOf = (id: string, extra: object = {}) =>
  checked<MigrationInputs>(
    migrations.check(
      {},
      {
        ...{ urlEnv, schemaName: `tenant_${id}`, migrationsDir: directory, forceDestroy: false },
        ...extra,
      },
    ),
  );

/** The five steps as a stack makes them; the schema, which is the plugin's, by SQL. */
async function make(declared: Declared): Promise<string> {
  const { email = `ana@${declared.slug}.example`, adopt = true, generation } = declared;
  const { id } = await tenantRecord.create(recordOf(declared));
  const admin = await adminUser.create({
    ...{ urlEnv, tenantId: id, email, firstName: "Ana", lastName: "Diaz", forceDestroy: false },
  });
  await database.sql(`create schema if not exists "tenant_${id}"`);
  await migrations.create(migrationsOf(id, adopt ? { adopt } : {}));
  await adminMembership.create({
    ...{ urlEnv, tenantId: id, userId: admin.id, status: "active", forceDestroy: false },
    ...(generation === undefined ? {} : { generation }),
  });
  return id;
}

/** A tenant that was made in order, with a row in its table, and that its stack has let go. */
async function released(): Promise<{ id: string; slug: string }> {
  const slug = `adopted-${++count}`;
  const theirs = { slug, owner: "o/p/theirs::acme", adopt: false };
  const id = await make(theirs);
  await database.sql(`insert into "tenant_${id}".notes values (1, 'kept')`);
  await tenantRecord.delete(id, { ...recordOf(theirs), release: true });
  return { id, slug };
}

const rowOf = async (id: string) =>
  (
    await database.sql<{ owner: string | null; status: string; generation: string; slug: string }>(
      "select owner, status, generation, slug from tenants where id = $1",
      [id],
    )
  )[0];

/** What would differ if any table were touched: where it is, who wrote each row, what was applied when. */
const tablesOf = (id: string) =>
  database.sql(
    `select c.oid, c.relname, c.relfilenode,
      case c.relkind when 'r' then query_to_xml(
        format('select xmin, ctid, t.* from %s t', c.oid::regclass), false, false, '')::text end as rows
    from pg_class c where relnamespace = $1::regnamespace order by c.oid`,
    [`"tenant_${id}"`],
  );

describe("a tenant that was released", () => {
  it.each(["id", "slug"] as const)(
    "is taken over by its %s, and no table is touched",
    async (by) => {
      const { id, slug } = await released();
      const bystander = await released();
      const before = await tablesOf(id);
      expect(before.length).toBeGreaterThan(3);
      expect(await make(by === "id" ? { slug, tenantId: id } : { slug })).toBe(id);
      expect(await rowOf(id)).toMatchObject({ owner: ours, status: "active", slug });
      expect(await tablesOf(id)).toEqual(before);
      expect(await rowOf(bystander.id)).toMatchObject({ owner: null, status: "active" });
    },
  );

  it("is the same after a run that died half way and one more", async () => {
    const { id, slug } = await released();
    await tenantRecord.create(recordOf({ slug }));
    expect(await make({ slug })).toBe(id);
    expect(await database.sql("select from tenants where slug = $1", [slug])).toHaveLength(1);
  });

  it("is refused without adopt, and the message says what to do", async () => {
    const { id, slug } = await released();
    for (const declared of [{ slug }, { slug: `${slug}-other`, tenantId: id }]) {
      await expect(make({ ...declared, adopt: false })).rejects.toThrow(
        /tenant adopted-\d+ \(id .*\), which has no owner: give this tenant adopt: true, which takes it over/,
      );
    }
    expect(await rowOf(id)).toMatchObject({ owner: null, slug });
  });

  it("among ten stacks at once goes to one, and the others are told to whom", async () => {
    const { id, slug } = await released();
    const tries = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) =>
        tenantRecord.create(recordOf({ slug, owner: `o/p/s${i}::x` })),
      ),
    );
    const lost = tries.flatMap((end) => (end.status === "rejected" ? [String(end.reason)] : []));
    expect(lost).toHaveLength(9);
    const { owner } = (await rowOf(id)) ?? {};
    for (const words of lost) expect(words).toContain(`of ${String(owner)}: choose another slug`);
  });

  it("begins the count of declarations with an owner who counts them, and reaches it with the last step alone", async () => {
    const { id, slug } = await released();
    await database.sql("update tenants set generation = 7 where id = $1", [id]);
    await tenantRecord.create(recordOf({ slug, generation: 3 }));
    expect(await rowOf(id)).toMatchObject({ generation: "2" });
    await make({ slug, generation: 3 });
    expect(await rowOf(id)).toMatchObject({ generation: "3" });
  });

  it("keeps a new admin and the former one, who stays a member with the role they have", async () => {
    const { id, slug } = await released();
    await make({ slug, email: "bea@elsewhere.example" });
    const members = await database.sql(
      `select email, role, u.id = t.admin_user_id as declared from tenant_users m
      join users u on u.id = m.user_id join tenants t on t.id = m.tenant_id
      where m.tenant_id = $1 order by email`,
      [id],
    );
    expect(members).toEqual([
      { email: `ana@${slug}.example`, role: "ADMIN", declared: false },
      { email: "bea@elsewhere.example", role: "ADMIN", declared: true },
    ]);
  });

  it("that is deleted has no slug, and is taken over by its id", async () => {
    const { id, slug } = await released();
    await database.sql("update tenants set status = 'deleted', deleted_at = now() where id = $1", [
      id,
    ]);
    const other = await make({ slug });
    expect(other).not.toBe(id);
    expect(await make({ slug: `${slug}-again`, tenantId: id })).toBe(id);
    expect(await rowOf(id)).toMatchObject({ owner: ours, status: "active" });
  });
});

describe("a tenant with an owner", () => {
  it("is refused to adopt, and the message names the owner", async () => {
    const slug = `owned-${++count}`;
    const id = await make({ slug, owner: "o/p/theirs::acme" });
    for (const declared of [{ slug }, { slug: `${slug}-other`, tenantId: id }]) {
      await expect(make(declared)).rejects.toThrow(
        /of o\/p\/theirs::acme: choose another slug, or have it released there first/,
      );
    }
    expect(await rowOf(id)).toMatchObject({ owner: "o/p/theirs::acme" });
  });

  it("is not taken back by a stack that had it before", async () => {
    const { id, slug } = await released();
    await make({ slug });
    const theirs = recordOf({ slug, owner: "o/p/theirs::acme", adopt: false });
    const { props } = await tenantRecord.read(id, theirs);
    expect(props).toMatchObject({ owner: "o/p/theirs::acme", takenBy: ours });
    expect(tenantRecord.diff(id, props as RecordInputs, theirs)).toMatchObject({ changes: true });
    await expect(tenantRecord.update(id, props as RecordInputs, theirs)).rejects.toThrow(
      `of ${ours}: choose another slug`,
    );
    // Nor does the end of an interrupted release take it from who has it now.
    await tenantRecord.delete(id, { ...(props as RecordInputs), release: true });
    expect(await rowOf(id)).toMatchObject({ owner: ours });
  });

  it("keeps it when its stack, which was renamed, declares it", async () => {
    const slug = `renamed-${++count}`;
    const before = recordOf({ slug, owner: "o/p/old::acme", adopt: false });
    const { id, outs } = await tenantRecord.create(before);
    const after = { ...before, owner: "o/p/new::acme" };
    await tenantRecord.update(id, outs, after);
    expect(await rowOf(id)).toMatchObject({ owner: "o/p/new::acme" });
  });
});

describe("what was made by hand", () => {
  it("is kept, and what is missing is made", async () => {
    const slug = `by-hand-${++count}`;
    const [{ id } = { id: "" }] = await database.sql<{ id: string }>(
      "insert into tenants (name, slug) values ('By hand', $1) returning id",
      [slug],
    );
    expect(await make({ slug })).toBe(id);
    expect(await rowOf(id)).toMatchObject({ owner: ours, status: "active" });
    expect(await tablesOf(id)).not.toEqual([]);
  });

  it("may be a schema alone, whose id is named", async () => {
    const tenantId = randomUUID();
    await database.sql(`create schema "tenant_${tenantId}"`);
    expect(await make({ slug: `schema-${++count}`, tenantId })).toBe(tenantId);
  });
});

describe("migrations that were applied before anybody kept digests", () => {
  const withoutDigests = async () => {
    const { id, slug } = await released();
    await database.sql("delete from tenant_migration_digests where schema_name = $1", [
      `tenant_${id}`,
    ]);
    return { id, slug };
  };
  const digestsOf = (id: string) =>
    database.sql<{ file: string; digest: string }>(
      "select file, digest from tenant_migration_digests where schema_name = $1 order by file",
      [`tenant_${id}`],
    );

  it("are kept where the schema is what the files make", async () => {
    const { id, slug } = await withoutDigests();
    const before = await tablesOf(id);
    await make({ slug });
    expect(await tablesOf(id)).toEqual(before);
    const { files } = migrationsOf(id);
    expect(await digestsOf(id)).toEqual(
      Object.entries(files).map(([file, digest]) => ({ file, digest })),
    );
  });

  it("are kept at an older version, and the later ones are applied", async () => {
    rmSync(path.join(directory, "2_words.sql"));
    const { id, slug } = await withoutDigests();
    write("2_words.sql", second);
    await make({ slug });
    expect((await digestsOf(id)).map(({ file }) => file)).toEqual(["1_notes.sql", "2_words.sql"]);
    const indexes = await database.sql(
      "select from pg_indexes where schemaname = $1 and indexname = 'notes_words'",
      [`tenant_${id}`],
    );
    expect(indexes).toHaveLength(1);
  });

  it("are an error that says what differs where the schema is another one", async () => {
    const { id, slug } = await withoutDigests();
    await database.sql(`alter table "tenant_${id}".notes add column extra int`);
    await database.sql(`drop index "tenant_${id}".notes_words`);
    const before = await tablesOf(id);
    await expect(make({ slug })).rejects.toThrow(
      /is not what the migrations up to 2 make: [^]*is missing: index [^]*notes_words[^]*is there too: column notes\.extra/,
    );
    expect(await tablesOf(id)).toEqual(before);
    expect(await digestsOf(id)).toEqual([]);
  });

  it("are an error where no file has the version that is applied", async () => {
    const { slug } = await withoutDigests();
    rmSync(path.join(directory, "2_words.sql"));
    await expect(make({ slug })).rejects.toThrow(
      /2 is applied, and no file in .* has that version/,
    );
  });
});

describe("a release", () => {
  it("takes the owner away and changes nothing else of the tenant", async () => {
    const slug = `let-go-${++count}`;
    const declared = { slug, adopt: false };
    const id = await make(declared);
    const [before, tables] = [
      await database.sql("select * from tenants where id = $1", [id]),
      await tablesOf(id),
    ];
    const inputs = { ...recordOf(declared), release: true };
    const { id: admin } = (
      await database.sql<{ id: string }>("select admin_user_id as id from tenants where id = $1", [
        id,
      ])
    )[0] ?? { id: "" };
    const member = { urlEnv, tenantId: id, userId: admin, status: "active" } as const;
    await adminMembership.delete("", { ...member, forceDestroy: false, release: true });
    await migrations.delete(`tenant_${id}`, { ...migrationsOf(id), release: true });
    await tenantRecord.delete(id, inputs);
    const changed = { owner: null, updated_at: expect.any(Date) as Date };
    expect(await database.sql("select * from tenants where id = $1", [id])).toEqual(
      before.map((row) => ({ ...row, ...changed })),
    );
    expect(await tablesOf(id)).toEqual(tables);
    expect(await database.sql("select from tenant_users where tenant_id = $1", [id])).toHaveLength(
      1,
    );
  });

  it("counts as the newest generation: an older run of the same stack changes nothing any more", async () => {
    const declared = { slug: `counted-${++count}`, adopt: false, generation: 1 };
    const id = await make(declared);
    const inputs = recordOf(declared);
    await tenantRecord.delete(id, { ...inputs, generation: 2, release: true });
    const released = await rowOf(id);
    expect(released).toMatchObject({ owner: null, generation: "2" });
    const late = tenantRecord.update(id, inputs, { ...inputs, name: "Late", generation: 1 });
    await expect(late).rejects.toThrow(/^OVERTAKEN: /);
    expect(await rowOf(id)).toEqual(released);
  });

  it("applies no migration that came meanwhile, and needs no folder", async () => {
    const id = await make({ slug: `still-${++count}`, adopt: false });
    const news = { urlEnv, schemaName: `tenant_${id}`, forceDestroy: false };
    const olds = migrationsOf(id);
    write("3_late.sql", "create table late (id int)");
    const inputs = checked<MigrationInputs>(
      migrations.check(olds, { ...news, migrationsDir: "gone", release: true }),
    );
    expect(inputs.files).toEqual(olds.files);
    await migrations.update("", olds, inputs);
    const late = await database.sql(
      "select from pg_tables where schemaname = $1 and tablename = 'late'",
      [`tenant_${id}`],
    );
    expect(late).toEqual([]);
    rmSync(path.join(directory, "3_late.sql"));
  });

  it("is seen in a diff, and adopt is not", () => {
    const olds = recordOf({ slug: "diffed", adopt: false });
    expect(tenantRecord.diff("", olds, { ...olds, adopt: true })).toMatchObject({ changes: false });
    expect(tenantRecord.diff("", olds, { ...olds, release: true })).toMatchObject({
      changes: true,
    });
  });
});
