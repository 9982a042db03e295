import { noEngine, startServiceApp, type ServiceApp } from "../../support/service-app";
import { send } from "../../support/service-client";
import { useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

const database = useServiceDatabase();
let service: ServiceApp;
let token: string;

beforeAll(async () => {
  service = await startServiceApp(database.handle, noEngine());
  token = await signed({ expiresIn: 600, claims: { permissions: ["VIEW_TENANTS"] } });
  const names: [slug: string, name: string, status?: string][] = [
    ["alpha", "Zulu Ltd"],
    ["alpha-2", "ábaco"],
    ["bravo", "100% Wool"],
    ["charlie", "A_B", "suspended"],
    ["delta", "AxB"],
    ["echo", "back\\slash"],
    ["foxtrot", "Ærø", "provisioning"],
    ["golf", "Zulu Ltd", "deleted"],
    ["golf-2", "O'Brien; drop table tenants --"],
  ];
  for (const [index, [slug, name, status]] of names.entries()) {
    const id = await database.addTenant(slug, status === undefined ? {} : { status });
    await database.sql(
      `update public.tenants set name = $2,
        created_at = timestamptz '2026-01-01' + $3 * interval '1 microsecond' where id = $1`,
      [id, name, index],
    );
  }
});
afterAll(() => service.close());

/** Gets a list of tenants; each parameter may be sent several times. */
function get(parameters: [string, string][] | Record<string, string>, path = "", by = token) {
  const query = new URLSearchParams(parameters).toString();
  return send(`${service.url}/api/tenant${path}?${query}`, { token: by });
}

/** The slugs of a list. */
async function slugs(parameters: [string, string][] | Record<string, string>): Promise<string[]> {
  const { status, body } = await get(parameters);
  expect([status, body.details]).toEqual([200, undefined]);
  return (body.data as { slug: string }[]).map(({ slug }) => slug);
}

/** The parameters that are refused. */
async function refused(parameters: [string, string][] | Record<string, string>, path = "") {
  const { status, body } = await get(parameters, path);
  expect([status, body.code]).toEqual([400, "INVALID_REQUEST"]);
  return body.details?.map((detail) => detail.path);
}

/** Every page of a list, each by the cursor of the one before. */
async function pagesOf(parameters: Record<string, string>, path = "", by = token) {
  const pages: { slug: string }[][] = [];
  const metas: { nextCursor: string | null }[] = [];
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const given = cursor === undefined ? {} : { cursor };
    const { body } = await get({ ...parameters, ...given }, path, by);
    pages.push(body.data as { slug: string }[]);
    const meta = body.meta as { nextCursor: string | null };
    metas.push(meta);
    cursor = meta.nextCursor;
  }
  return { slugs: pages.map((page) => page.map(({ slug }) => slug)), metas };
}

describe("status", () => {
  test("is active and suspended by default", async () => {
    expect(await slugs({})).toEqual([
      ...["golf-2", "echo", "delta", "charlie", "bravo", "alpha-2", "alpha"],
    ]);
  });

  test("can be any, several by comma or repeated", async () => {
    expect(await slugs({ status: "suspended" })).toEqual(["charlie"]);
    expect(await slugs({ status: "deleted,provisioning,deleted" })).toEqual(["golf", "foxtrot"]);
    const repeated = ["deleted", "suspended"].map((status): [string, string] => ["status", status]);
    expect(await slugs(repeated)).toEqual(["golf", "charlie"]);
  });

  test.each(["", "ACTIVE", "active,", "purged", "active;deleted", "a\0", "'"])(
    "%j is refused",
    async (status) => expect(await refused({ status })).toEqual(["status"]),
  );
});

describe("q", () => {
  test.each([
    ["alpha", ["alpha-2", "alpha"]],
    ["ALPHA-", ["alpha-2"]],
    ["zulu", ["alpha"]],
    ["lta", []],
    ["Ábac", ["alpha-2"]],
    ["A\u0301B", ["alpha-2"]],
    ["100%", ["bravo"]],
    ["%", []],
    ["1%", []],
    ["a_", ["charlie"]],
    ["_", []],
    ["back\\s", ["echo"]],
    ["back\\\\", []],
    ["o'brien;", ["golf-2"]],
    ["' or true --", []],
    ["a*", []],
    ["(?i)a", []],
    ["\ufffd", []],
  ])("%j is the beginning of a name or slug of %j", async (q, expected) => {
    expect(await slugs({ q })).toEqual(expected);
  });

  test("counts with the status", async () => {
    expect(await slugs({ q: "z", status: "active,deleted" })).toEqual(["golf", "alpha"]);
    const { body } = await get({ q: "z", status: "deleted", limit: "1" });
    expect(body.meta).toMatchObject({ total: 1, totalPages: 1, nextCursor: null });
  });

  test.each(["", "   ", "a\0b", "\0", "a\nb", "\u202e", "x".repeat(201)])(
    "%j is refused",
    async (q) => expect(await refused({ q })).toEqual(["q"]),
  );
});

describe("sort", () => {
  const all = { status: "provisioning,active,suspended,deleted" };
  const byAge = [
    ...["alpha", "alpha-2", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "golf-2"],
  ];
  test("is by age, also of tenants of the same millisecond, and by slug", async () => {
    expect(await slugs({ ...all, sort: "createdAt" })).toEqual(byAge);
    expect(await slugs({ ...all, sort: "-createdAt" })).toEqual(byAge.toReversed());
    expect(await slugs({ ...all, sort: "slug" })).toEqual(byAge);
    expect(await slugs({ ...all, sort: "-slug" })).toEqual(byAge.toReversed());
  });

  test("by name looks at no case, and reverses those of one name too", async () => {
    const byName = await slugs({ ...all, sort: "name" });
    expect(byName.slice(0, 5)).toEqual(["bravo", "charlie", "delta", "echo", "golf-2"]);
    expect(byName.slice(5, 7).toSorted()).toEqual(["alpha", "golf"]);
    expect(byName.slice(7)).toEqual(["alpha-2", "foxtrot"]);
    expect(await slugs({ ...all, sort: "-name" })).toEqual(byName.toReversed());
  });

  test.each(["", "id", "created_at", "--name", "name desc", "name;select 1", "constructor"])(
    "%j is refused",
    async (sort) => expect(await refused({ sort })).toEqual(["sort"]),
  );
});

describe("a cursor", () => {
  test.each(["-createdAt", "createdAt", "name", "-name", "slug", "-slug"])(
    "leads through the pages of the list that is sorted by %s",
    async (sort) => {
      const parameters = { sort, limit: "2", status: "active,deleted,suspended" };
      const whole = await slugs({ ...parameters, limit: "100" });
      const { slugs: pages, metas } = await pagesOf(parameters);
      expect(pages.map((page) => page.length)).toEqual([2, 2, 2, 2]);
      expect(pages.flat()).toEqual(whole);
      expect(metas).toEqual(
        metas.map(({ nextCursor }, index) => ({
          ...{ page: index + 1, limit: 2, total: 8, totalPages: 4, nextCursor },
        })),
      );
    },
  );

  test("goes on from a page that was asked for by its number", async () => {
    const whole = await slugs({});
    const { body } = await get({ page: "2", limit: "2" });
    const { nextCursor: cursor } = body.meta as { nextCursor: string };
    const next = await get({ limit: "2", cursor });
    expect((next.body.data as { slug: string }[]).map(({ slug }) => slug)).toEqual(
      whole.slice(4, 6),
    );
    expect(next.body.meta).toMatchObject({ page: 3, total: 7 });
  });

  test("does not come back to a page whose last tenant is gone since", async () => {
    const id = await database.addTenant("zz-last", { status: "deleted" });
    const list = { status: "deleted", sort: "-slug", limit: "1" };
    const first = await get(list);
    expect(first.body.data).toMatchObject([{ slug: "zz-last" }]);
    await database.sql("delete from public.tenants where id = $1", [id]);
    const { nextCursor: cursor } = first.body.meta as { nextCursor: string };
    expect(await slugs({ ...list, cursor })).toEqual(["golf"]);
  });

  test("is refused with another list, with a page, and where it is none", async () => {
    const { body } = await get({ limit: "2" });
    const { nextCursor: cursor } = body.meta as { nextCursor: string };
    for (const other of [{ sort: "name" }, { status: "active" }, { q: "a" }, { limit: "3" }]) {
      expect(await refused({ limit: "2", cursor, ...other })).toEqual(["cursor"]);
    }
    expect(await refused({ limit: "2", cursor, page: "2" })).toEqual(["cursor"]);
    const foreign = (place: unknown) =>
      Buffer.from(JSON.stringify({ list: readList(cursor), place })).toString("base64url");
    const id = "660e8400-e29b-41d4-a716-446655440000";
    for (const none of [
      ...["", "x", "\0", "x".repeat(5_000), cursor.slice(0, -4)],
      ...[foreign({ key: "0", id }), foreign({ key: "now", id, page: 2, total: 9 })],
    ]) {
      expect(await refused({ limit: "2", cursor: none })).toEqual(["cursor"]);
    }
    // Well-formed and forged, it shows its forger what the list has there.
    const far = foreign({ key: "9".repeat(16), id, page: 2, total: 9 });
    expect(await slugs({ limit: "2", cursor: far })).toEqual(["golf-2", "echo"]);
    const past = foreign({ key: `-${"9".repeat(16)}`, id, page: 2, total: 9 });
    expect(await slugs({ limit: "2", cursor: past })).toEqual([]);
    const twice: [string, string][] = [
      ["limit", "2"],
      ["cursor", cursor],
      ["cursor", cursor],
    ];
    expect(await refused(twice)).toEqual(["cursor"]);
  });
});

test.each(["status[]", "__proto__", "constructor", "drop"])(
  "the parameter %s, which is not known, is refused",
  async (name) => expect(await refused([[name, "active"]])).toEqual([name]),
);

describe("the tenants of the token's own user", () => {
  const mine = async (sub: string | undefined, parameters: Record<string, string> = {}) =>
    get(parameters, "/mine", await signed({ claims: sub === undefined ? {} : { sub } }));
  let user: string;

  beforeAll(async () => {
    const [row] = await database.sql<{ id: string }>(
      `insert into public.users (email, password_hash, first_name, last_name)
      values ('bo@acme.example', '$argon2id$v=19$x', 'Bo', 'Li') returning id`,
    );
    user = row?.id ?? "";
    // A member of one tenant in each status. The admins are members of none here.
    await database.sql(
      `insert into public.tenant_users (tenant_id, user_id, role)
      select id, $1, case slug when 'alpha' then 'ADMIN' else 'MEMBER' end from public.tenants
      where slug in ('alpha', 'bravo', 'charlie', 'foxtrot', 'golf')`,
      [user],
    );
  });

  test("are those active and suspended in which they are a member, by name, with the role", async () => {
    const { status, body } = await mine(user);
    expect(status).toBe(200);
    expect(body.meta).toEqual({ limit: 20, nextCursor: null });
    const common = { id: expect.any(String) as string, createdAt: expect.any(String) as string };
    expect(body.data).toEqual([
      { ...common, name: "100% Wool", slug: "bravo", status: "active", role: "MEMBER" },
      { ...common, name: "A_B", slug: "charlie", status: "suspended", role: "MEMBER" },
      { ...common, name: "Zulu Ltd", slug: "alpha", status: "active", role: "ADMIN" },
    ]);
  });

  test("are the same for a sub in upper case", async () => {
    expect((await mine(user.toUpperCase())).body.data).toHaveLength(3);
  });

  test.each([
    ["another user", "660e8400-e29b-41d4-a716-446655440000"],
    ["a sub that is no user's id", "ci-pipeline"],
    ["SQL for a sub", "' or true --"],
    ["a token without a sub", undefined],
  ])("are none for %s", async (_, sub) => {
    const { status, body } = await mine(sub);
    expect(status).toBe(200);
    expect(body).toEqual({ data: [], meta: { limit: 20, nextCursor: null } });
  });

  test("come in pages, whose cursor is of this user alone", async () => {
    const own = await signed({ claims: { sub: user } });
    const { slugs: pages } = await pagesOf({ limit: "2" }, "/mine", own);
    expect(pages).toEqual([["bravo", "charlie"], ["alpha"]]);
    const { body } = await mine(user, { limit: "2" });
    const { nextCursor: cursor } = body.meta as { nextCursor: string };
    for (const other of ["660e8400-e29b-41d4-a716-446655440000", "x", undefined]) {
      expect((await mine(other, { limit: "2", cursor })).status).toBe(400);
    }
  });

  test.each([{ limit: "0" }, { limit: "101" }, { page: "1" }, { user: "x" }, { cursor: "x" }])(
    "are not asked for by %j",
    async (parameters) =>
      expect(await refused(parameters, "/mine")).toEqual(Object.keys(parameters)),
  );
});

function readList(cursor: string): unknown {
  const read = JSON.parse(Buffer.from(cursor, "base64url").toString()) as { list: unknown };
  return read.list;
}
