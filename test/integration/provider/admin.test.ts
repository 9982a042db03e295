import { adminMembership, adminUser, tenantRecord } from "../../../provider/resources";
import { hashPassword } from "../../../provider/contract/passwords";
import { checked, useResourceDatabase } from "../../support/resources";

const database = useResourceDatabase();

type Inputs = Parameters<typeof adminUser.create>[0];
interface Row {
  id: string;
  email: string;
  password_hash: string | null;
  first_name: string;
  last_name: string;
}

let passwordHash: string;
let otherHash: string;
beforeAll(async () => {
  passwordHash = await hashPassword("correct horse battery", "one account");
  otherHash = await hashPassword("another one", "one account");
});

let count = 0;
async function tenant(): Promise<string> {
  const slug = `tenant-${++count}`;
  const { urlEnv } = database;
  const record = { urlEnv, name: "T", slug, owner: slug, forceDestroy: true, tenantId: undefined };
  return (await tenantRecord.create(record)).id;
}
const typed = (tenantId: string, overrides: object = {}) => ({
  urlEnv: database.urlEnv,
  tenantId,
  email: `ana${++count}@acme.example`,
  password: passwordHash,
  firstName: "Ana",
  lastName: "Diaz",
  forceDestroy: true,
  ...overrides,
});
const declared = (tenantId: string, overrides: object = {}): Inputs =>
  checked<Inputs>(adminUser.check({}, typed(tenantId, overrides)));
const usersWith = (email: string) =>
  database.sql<Row>(
    "select id, email, password_hash, first_name, last_name from users where lower(email) = lower($1)",
    [email],
  );
const member = (tenantId: string, userId: string) =>
  adminMembership.create({
    urlEnv: database.urlEnv,
    tenantId,
    userId,
    status: "active",
    forceDestroy: true,
  });

describe("check", () => {
  it("takes a hash as it is", async () => {
    expect(declared(await tenant()).password).toBe(passwordHash);
  });

  it("refuses a password that was not hashed in the program, and gives it back in no form", async () => {
    const answer = adminUser.check(
      {},
      typed(await tenant(), { password: "correct horse battery" }),
    );
    expect(JSON.stringify(answer)).not.toContain("correct horse");
    expect(answer.inputs.faults).toEqual(["adminPassword: must be an argon2id hash by now"]);
  });

  it("says which rules the program found broken", () => {
    const news = typed("no uuid", { password: "refused: must have at least 8 characters" });
    expect(adminUser.check({}, news)).toMatchObject({
      inputs: { faults: ["id: must be a UUID", "adminPassword: must have at least 8 characters"] },
      failures: [],
    });
  });

  it("refuses another e-mail, with the reason, and allows another spelling of the same", async () => {
    const old = declared(await tenant(), { email: "ana@acme.example" });
    const other = adminUser.check(old, { ...old, email: "eve@acme.example" });
    expect(other.inputs.faults).toEqual([
      expect.stringContaining("adminEmail: cannot change from ana@acme.example"),
    ]);
    checked(adminUser.check(old, { ...old, email: "Ana@Acme.example" }));
  });
});

describe("create", () => {
  it("makes the user and names them as the tenant's admin", async () => {
    const tenantId = await tenant();
    const inputs = declared(tenantId);
    const { id } = await adminUser.create(inputs);
    expect(await usersWith(inputs.email)).toEqual([
      {
        id,
        email: inputs.email,
        password_hash: inputs.password,
        first_name: "Ana",
        last_name: "Diaz",
      },
    ]);
    expect(
      await database.sql("select admin_user_id from tenants where id = $1", [tenantId]),
    ).toEqual([{ admin_user_id: id }]);
  });

  it("run twice makes one user, with the hash that the state will hold", async () => {
    const tenantId = await tenant();
    const first = declared(tenantId);
    const second = declared(tenantId, { email: first.email, password: otherHash });
    expect((await adminUser.create(second)).id).toBe((await adminUser.create(first)).id);
    expect(await usersWith(first.email)).toHaveLength(1);
    await adminUser.create(second);
    expect(await usersWith(first.email)).toMatchObject([{ password_hash: second.password }]);
  });

  it("links an existing user and leaves their password and names alone", async () => {
    const [one, two] = [await tenant(), await tenant()];
    const theirs = declared(one);
    const { id } = await adminUser.create(theirs);
    await member(one, id);
    const email = theirs.email.toUpperCase();
    const linked = declared(two, { email, password: otherHash, firstName: "Eve" });
    expect((await adminUser.create(linked)).id).toBe(id);
    expect(await usersWith(email)).toMatchObject([
      { email: theirs.email, password_hash: theirs.password, first_name: "Ana" },
    ]);
  });

  it("links a user whom another tenant's set-up made just now, and leaves their password alone", async () => {
    const [one, two] = [await tenant(), await tenant()];
    const theirs = declared(one);
    const { id } = await adminUser.create(theirs);
    const linked = declared(two, { email: theirs.email, password: otherHash, firstName: "Eve" });
    expect((await adminUser.create(linked)).id).toBe(id);
    expect(await usersWith(theirs.email)).toMatchObject([
      { password_hash: theirs.password, first_name: "Ana" },
    ]);
  });

  it("among twenty tenants at once makes one user for all", async () => {
    const tenants = await Promise.all(Array.from({ length: 20 }, tenant));
    const inputs = declared(tenants[0] ?? "");
    const made = await Promise.all(
      tenants.map((tenantId) => adminUser.create({ ...inputs, tenantId })),
    );
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    expect(await usersWith(inputs.email)).toHaveLength(1);
  });

  it("says what to do when the tenant's row is gone, and makes nobody", async () => {
    const inputs = declared("660e8400-e29b-41d4-a716-446655440000");
    await expect(adminUser.create(inputs)).rejects.toThrow("run pulumi refresh, then up");
    expect(await usersWith(inputs.email)).toEqual([]);
  });
});

describe("update", () => {
  it("changes what the person did not change since", async () => {
    const inputs = declared(await tenant());
    const { id, outs } = await adminUser.create(inputs);
    await database.sql("update users set last_name = 'Theirs' where id = $1", [id]);
    const news = {
      ...inputs,
      firstName: "Anna",
      lastName: "Ours",
      password: otherHash,
    };
    await adminUser.update(id, outs, news);
    expect(await usersWith(inputs.email)).toMatchObject([
      { first_name: "Anna", last_name: "Theirs", password_hash: news.password },
    ]);
  });

  it("never touches a user who was linked, even where the names are the same", async () => {
    const [one, two] = [await tenant(), await tenant()];
    const theirs = declared(one);
    await member(one, (await adminUser.create(theirs)).id);
    const linked = { ...theirs, tenantId: two };
    const { id, outs } = await adminUser.create(linked);
    await adminUser.update(id, outs, {
      ...linked,
      firstName: "Eve",
      password: otherHash,
    });
    expect(await usersWith(theirs.email)).toMatchObject([
      { first_name: "Ana", password_hash: theirs.password },
    ]);
  });
});

describe("diff", () => {
  /** What the engine is told of a change, and what people read beside it. */
  const diffOf = async (id: string, olds: Inputs, news: Inputs) => {
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    const { changes } = await adminUser.diff(id, olds, news);
    const lines = said.mock.calls.flat();
    said.mockRestore();
    return { changes, lines };
  };
  const all = { password: "", firstName: "Eve", lastName: "Li" };

  it("says nothing of a change that will be made", async () => {
    const inputs = declared(await tenant());
    const { id } = await adminUser.create(inputs);
    expect(await diffOf(id, inputs, inputs)).toEqual({ changes: false, lines: [] });
    const news = { ...inputs, ...all, password: otherHash };
    expect(await diffOf(id, inputs, news)).toEqual({ changes: true, lines: [] });
  });

  it("says what is kept because the person has changed it", async () => {
    const inputs = declared(await tenant());
    const { id } = await adminUser.create(inputs);
    await database.sql("update users set password_hash = $2, last_name = 'Li' where id = $1", [
      id,
      otherHash,
    ]);
    const news = { ...inputs, ...all, password: await hashPassword("a third one", "one account") };
    expect(await diffOf(id, inputs, news)).toEqual({
      changes: true,
      lines: [`${inputs.email}: adminPassword kept: the person's own`],
    });
  });

  it("says that all is kept of a user who was linked, even where the names are the same", async () => {
    const [one, two] = [await tenant(), await tenant()];
    const theirs = declared(one);
    await member(one, (await adminUser.create(theirs)).id);
    const linked = { ...theirs, tenantId: two };
    const { id } = await adminUser.create(linked);
    expect(await diffOf(id, linked, { ...linked, ...all, password: otherHash })).toEqual({
      changes: true,
      lines: [
        `${linked.email}: adminPassword, adminFirstName, adminLastName kept: the person's own`,
      ],
    });
  });

  it("shows the change without a word where no database is to be had", async () => {
    const inputs = declared(await tenant());
    const { id } = await adminUser.create(inputs);
    process.env.NO_DATABASE = "postgres://nobody:nothing@127.0.0.1:1/none";
    const away = { ...inputs, urlEnv: "NO_DATABASE" };
    expect(await diffOf(id, away, { ...away, firstName: "Eve" })).toEqual({
      changes: true,
      lines: [],
    });
  });
});

describe("without a password", () => {
  const hashOf = async ({ email }: Inputs) => (await usersWith(email))[0]?.password_hash;

  it("an admin is made who has none yet", async () => {
    const inputs = declared(await tenant(), { password: undefined });
    await adminUser.create(inputs);
    expect(await hashOf(inputs)).toBeNull();
  });

  it("a first one that the program gives later is theirs, unless they have set one", async () => {
    for (const [set, expected] of [
      [null, passwordHash],
      [otherHash, otherHash],
    ] as const) {
      const inputs = declared(await tenant(), { password: undefined });
      const { id, outs } = await adminUser.create(inputs);
      await database.sql("update users set password_hash = $2 where id = $1", [id, set]);
      const news = { ...inputs, password: passwordHash };
      expect((await adminUser.diff(id, outs, news)).changes).toBe(true);
      await adminUser.update(id, outs, news);
      expect(await hashOf(inputs)).toBe(expected);
    }
  });

  it("a program that no longer gives one takes none away, and shows no change", async () => {
    const inputs = declared(await tenant());
    const { id, outs } = await adminUser.create(inputs);
    const news = { ...inputs, password: undefined };
    expect((await adminUser.diff(id, outs, news)).changes).toBe(false);
    await adminUser.update(id, outs, { ...news, firstName: "Anna" });
    expect(await usersWith(inputs.email)).toMatchObject([
      { first_name: "Anna", password_hash: passwordHash },
    ]);
  });
});

describe("read", () => {
  it("takes what a person changed for theirs, and a person who is gone for gone", async () => {
    const tenantId = await tenant();
    const inputs = declared(tenantId);
    const { id, outs } = await adminUser.create(inputs);
    await database.sql("update users set first_name = 'Changed' where id = $1", [id]);
    expect(await adminUser.read(id, outs)).toEqual({ id, props: outs });
    await database.sql("update tenants set admin_user_id = null where id = $1", [tenantId]);
    await database.sql("delete from users where id = $1", [id]);
    expect(await adminUser.read(id, outs)).toEqual({});
  });
});

describe("delete", () => {
  it("keeps the user without forceDestroy", async () => {
    const inputs = declared(await tenant(), { forceDestroy: false });
    const { id, outs } = await adminUser.create(inputs);
    await adminUser.delete(id, outs);
    expect(await usersWith(inputs.email)).toHaveLength(1);
  });

  it("removes a user who belongs to no other tenant", async () => {
    const inputs = declared(await tenant());
    const { id, outs } = await adminUser.create(inputs);
    await adminUser.delete(id, outs);
    await adminUser.delete(id, outs);
    expect(await usersWith(inputs.email)).toEqual([]);
  });

  it("keeps a user who is a member elsewhere, or who another tenant is just linking", async () => {
    const [mine, member_of, linking] = [await tenant(), await tenant(), await tenant()];
    const inputs = declared(mine);
    const { id, outs } = await adminUser.create(inputs);
    await adminUser.create({ ...inputs, tenantId: linking });
    await adminUser.delete(id, outs);
    expect(await usersWith(inputs.email)).toHaveLength(1);
    await adminUser.create({ ...inputs, tenantId: member_of });
    await member(member_of, id);
    await adminUser.delete(id, { ...outs, tenantId: linking });
    expect(await usersWith(inputs.email)).toHaveLength(1);
  });

  const tenantsOf = (id: string) =>
    database.sql("select status from tenants where admin_user_id = $1", [id]);

  it("keeps a user to whom another table of the product refers, and does the rest", async () => {
    const inputs = declared(await tenant());
    const { id, outs } = await adminUser.create(inputs);
    await database.sql("create table public.notes (author uuid references public.users (id))");
    await database.sql("insert into public.notes values ($1)", [id]);
    await adminUser.delete(id, outs);
    expect(await usersWith(inputs.email)).toHaveLength(1);
    expect(await tenantsOf(id)).toEqual([]);
    await database.sql("drop table public.notes");
    await adminUser.delete(id, outs);
    expect(await usersWith(inputs.email)).toEqual([]);
  });

  it("fails, and changes nothing, where a user cannot be removed for another reason", async () => {
    const inputs = declared(await tenant());
    const { id, outs } = await adminUser.create(inputs);
    await database.sql(
      `create function public.refuse() returns trigger language plpgsql
      as 'begin raise exception $$kept by the product$$; end'`,
    );
    await database.sql(
      "create trigger refuse before delete on public.users execute function public.refuse()",
    );
    await expect(adminUser.delete(id, outs)).rejects.toThrow("kept by the product");
    await database.sql("drop function public.refuse() cascade");
    expect(await tenantsOf(id)).toEqual([{ status: "provisioning" }]);
  });

  it("of all an admin's tenants at once leaves no user behind", async () => {
    const tenants = await Promise.all(Array.from({ length: 8 }, tenant));
    const inputs = declared(tenants[0] ?? "");
    const made = await Promise.all(
      tenants.map((tenantId) => adminUser.create({ ...inputs, tenantId })),
    );
    await Promise.all(made.map(({ id, outs }) => adminUser.delete(id, outs)));
    expect(await usersWith(inputs.email)).toEqual([]);
  });
});
