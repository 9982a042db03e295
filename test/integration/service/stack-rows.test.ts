import { Client } from "pg";
import { stacksOf } from "../../../service/pulumi/stacks/stacks";
import { forgetUnmade } from "../../../service/tenants/wanted";
import { tryLock } from "../../../service/cluster/liveness";
import { useServiceDatabase } from "../../support/service-database";

const database = useServiceDatabase();
const me = "00000000-0000-4000-8000-000000000001";
const other = "00000000-0000-4000-8000-000000000002";
const dead = "00000000-0000-4000-8000-000000000003";
const stacks = stacksOf(database.handle, me);

/** One stack, or two, for each status and holder, named by both. */
const held = [me, other, dead].flatMap((instance, number) =>
  ["making", "prestarted", "removing"].map((status) => ({
    name: `${status}-${["me", "other", "dead"][number] ?? ""}`,
    ...{ status, instance },
  })),
);
const free = ["spare-1", "spare-2"].map((name) => ({
  ...{ name, status: "spare", instance: null },
}));
const taken = ["taken-1", "taken-2"].map((name) => ({
  ...{ name, status: "taken", instance: null },
}));
/** A tenant that has no stack yet. */
let tenant: string;

beforeEach(async () => {
  await database.sql("delete from public.service_tenants");
  await database.sql("delete from public.service_stacks");
  for (const { name, status, instance } of [...held, ...free, ...taken]) {
    await database.sql(
      `insert into public.service_stacks (name, status, instance, settings, created_at)
      values ($1, $2, $3, 'settings of ' || $1, clock_timestamp())`,
      [name, status, instance],
    );
  }
  for (const { name } of taken) {
    const id = await database.addWanted(`tenant-of-${name}`);
    await database.sql("update public.service_tenants set stack = $2 where id = $1", [id, name]);
  }
  tenant = await database.addWanted("new-tenant");
});

type Row = Record<string, unknown>;

async function rows(): Promise<Map<string, Row>> {
  const all = await database.sql<{ name: string; row: Row }>(
    "select name, to_jsonb(s) as row from public.service_stacks s",
  );
  return new Map(all.map(({ name, row }) => [name, row]));
}

/** What became of each row that the work made, changed or removed (null). All others are as before. */
async function changedBy(work: () => Promise<unknown>): Promise<Record<string, unknown>> {
  const before = await rows();
  await work();
  const after = await rows();
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  const changed = names.filter(
    (name) => JSON.stringify(before.get(name)) !== JSON.stringify(after.get(name)),
  );
  return Object.fromEntries(changed.map((name) => [name, after.get(name) ?? null]));
}

test.each<[string, () => Promise<unknown>, Record<string, unknown>]>([
  [
    "a tenant gets the stack that this instance has prestarted",
    () => stacks.takePrestarted("prestarted-me", tenant),
    { "prestarted-me": { status: "taken", instance: null, settings: "settings of prestarted-me" } },
  ],
  [
    "what another instance has prestarted",
    () => stacks.takePrestarted("prestarted-other", tenant),
    {},
  ],
  ["what is prestarted no more", () => stacks.takePrestarted("spare-1", tenant), {}],
  [
    "a tenant gets the oldest spare stack",
    () => stacks.takeSpare(tenant),
    { "spare-1": { status: "taken", instance: null, settings: "settings of spare-1" } },
  ],
  [
    "the settings of one stack are kept",
    () => stacks.keepSettings("taken-1", "new ones"),
    { "taken-1": { status: "taken", settings: "new ones" } },
  ],
  [
    "the oldest spare stack is prestarted",
    () => stacks.reserve(),
    { "spare-1": { status: "prestarted", instance: me } },
  ],
  [
    "a prestarted stack is given back",
    () => stacks.returnPrestarted("prestarted-me"),
    { "prestarted-me": { status: "spare", instance: null } },
  ],
  [
    "another instance's prestarted stack is not",
    () => stacks.returnPrestarted("prestarted-other"),
    {},
  ],
  ["nor one that is being made", () => stacks.returnPrestarted("making-me"), {}],
  [
    "all that were prestarted here are given back",
    () => stacks.returnAllBut([]),
    { "prestarted-me": { status: "spare", instance: null } },
  ],
  [
    "a prestarted stack that is of no use is marked",
    () => stacks.giveUp("prestarted-me"),
    { "prestarted-me": { status: "removing", instance: me } },
  ],
  ["not another instance's", () => stacks.giveUp("prestarted-other"), {}],
  ["not a spare one", () => stacks.giveUp("spare-1"), {}],
  ["never a tenant's", () => stacks.giveUp("taken-1"), {}],
  [
    "one that was removed is forgotten",
    () => stacks.forget("removing-me"),
    { "removing-me": null },
  ],
  ["one that was not is not", () => stacks.forget("spare-1"), {}],
  ["and never a tenant's", () => stacks.forget("taken-1"), {}],
  ["a spare stack has no other name to get", () => stacks.rename("spare-1"), {}],
  [
    "what the dead held is taken, and what was not made here",
    () => stacks.takeLost([dead]),
    {
      "making-me": { status: "removing", instance: me },
      "making-dead": { status: "removing", instance: me },
      "prestarted-dead": { status: "removing", instance: me },
      "removing-dead": { status: "removing", instance: me },
    },
  ],
])("%s, and no other row changes", async (_, work, expected) => {
  const changed = await changedBy(work);
  expect(changed).toMatchObject(expected);
  expect(Object.keys(changed).sort()).toEqual(Object.keys(expected).sort());
});

test("a tenant's stack gets another name: the old one is to be removed, and no other row changes", async () => {
  let name = "";
  const changed = await changedBy(async () => (name = await stacks.rename("taken-1")));
  expect(changed).toMatchObject({
    [name]: { status: "taken", settings: null, instance: null },
    "taken-1": { status: "removing", instance: me, settings: null },
  });
  expect(Object.keys(changed).sort()).toEqual([name, "taken-1"].sort());
});

test("a stack that exists for a while is to be removed from before then, and is forgotten after", async () => {
  let meanwhile: Record<string, unknown> = {};
  let name = "";
  const changed = await changedBy(async () => {
    meanwhile = await changedBy(() =>
      stacks
        .withOther((its) => {
          name = its;
          return Promise.reject(new Error("the backend is down"));
        })
        .catch(() => undefined),
    );
    await stacks.withOther(() => Promise.resolve());
  });
  expect(meanwhile).toMatchObject({ [name]: { status: "removing", instance: me } });
  // The row of the second is gone; that of the first is left to those who look for lost ones.
  expect(Object.keys(changed)).toEqual([name]);
});

describe("a spare stack is made", () => {
  test("and no other row changes", async () => {
    let name = "";
    const make = (its: string) => Promise.resolve(`settings of ${(name = its)}`);
    const changed = await changedBy(() => stacks.addSpare(make));
    expect(Object.entries(changed)).toMatchObject([
      [name, { status: "spare", settings: `settings of ${name}`, instance: null }],
    ]);
  });

  test("under the name of one that could not be made, unless another instance removes that", async () => {
    const make = jest.fn(() => Promise.resolve("new ones"));
    expect(await changedBy(() => stacks.addSpare(make, "removing-me"))).toMatchObject({
      "removing-me": { status: "spare", settings: "new ones", instance: null },
    });
    expect(make).toHaveBeenCalledTimes(1);
    for (const name of ["removing-other", "making-other", "prestarted-me", "spare-2", "taken-1"]) {
      expect(await changedBy(() => stacks.addSpare(make, name))).toEqual({});
    }
    expect(make).toHaveBeenCalledTimes(1);
  });

  test("or, where it cannot be, is to be removed, and no other row changes", async () => {
    let name = "";
    const make = (its: string) => {
      name = its;
      return Promise.reject(new Error("the backend is down"));
    };
    const add = () => expect(stacks.addSpare(make)).rejects.toThrow("the backend is down");
    const changed = await changedBy(add);
    expect(Object.entries(changed)).toMatchObject([[name, { status: "removing", instance: me }]]);
  });

  test("in vain where it was found lost meanwhile: it stays what it became", async () => {
    let name = "";
    const changed = await changedBy(() =>
      stacks.addSpare(async (its) => {
        name = its;
        await stacksOf(database.handle, other).takeLost([me]);
        return "settings";
      }),
    );
    expect(changed[name]).toMatchObject({ status: "removing", instance: other });
  });
});

test("each tenant keeps its stack, and one that takes a stack gets that one alone", async () => {
  const stackOfEach = () =>
    database.sql("select slug, stack from public.service_tenants order by slug");
  await stacks.takeSpare(tenant);
  expect(await stackOfEach()).toEqual([
    { slug: "new-tenant", stack: "spare-1" },
    { slug: "tenant-of-taken-1", stack: "taken-1" },
    { slug: "tenant-of-taken-2", stack: "taken-2" },
  ]);
  const name = await stacks.rename("taken-2");
  expect((await stackOfEach()).at(-1)).toEqual({ slug: "tenant-of-taken-2", stack: name });
});

test("a tenant that is gone takes no stack, which nobody would give back", async () => {
  await database.sql("delete from public.service_tenants where id = $1", [tenant]);
  const changed = await changedBy(async () => {
    expect(await stacks.takePrestarted("prestarted-me", tenant)).toBe(false);
    expect(await stacks.takeSpare(tenant)).toBeUndefined();
    await expect(stacks.takeNew(tenant)).rejects.toThrow("There is no such tenant");
  });
  expect(changed).toEqual({});
});

test("of two tenants of one stack that are forgotten at once, the last gives it back", async () => {
  await database.sql("update public.service_tenants set stack = 'taken-1' where id = $1", [tenant]);
  const both = await database.sql<{ id: string }>(
    "select id from public.service_tenants where stack = 'taken-1'",
  );
  expect(both).toHaveLength(2);
  const changed = await changedBy(() =>
    Promise.all(both.map(({ id }) => database.handle.transaction((q) => forgetUnmade(q, id)))),
  );
  expect(changed).toMatchObject({ "taken-1": { status: "removing" } });
});

test("spare are those that are free and those that this instance has prestarted", async () => {
  expect(await stacks.countSpare()).toBe(3);
});

test("who holds stacks and lives is no suspect, nor is who asks", async () => {
  const session = new Client(database.url());
  await session.connect();
  try {
    await session.query(tryLock, [other]);
    expect(await stacks.suspects()).toEqual([dead]);
  } finally {
    await session.end();
  }
});
