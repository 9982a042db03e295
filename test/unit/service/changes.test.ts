import { DatabaseDownError } from "../../../service/system/errors";
import { Changes } from "../../../service/operations/changes";

/** Operations whose state a test changes, and a database that counts how often each is read. */
function setting() {
  const version = { a: 1, b: 1 };
  const reads = { a: 0, b: 0 };
  const database = { isDown: false, answers: Promise.resolve() };
  const changes = new Changes(async (_statement, [id] = []) => {
    const name = id as keyof typeof reads;
    reads[name] += 1;
    const read = {
      id,
      version: version[name],
      status: version[name] > 3 ? "succeeded" : "running",
    };
    await database.answers;
    if (database.isDown) throw new DatabaseDownError("down");
    return [read] as unknown as never[];
  });
  const follow = (id: string) =>
    changes.follow(id, new AbortController().signal)[Symbol.asyncIterator]();
  return { version, reads, database, changes, follow };
}

type Follower = ReturnType<ReturnType<typeof setting>["follow"]>;

const next = async (follower: Follower) => {
  const result = await follower.next();
  return result.done === true ? undefined : result.value.version;
};

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("all who follow an operation share one read of each change; others' are read apart", async () => {
  const { version, reads, changes, follow } = setting();
  const followers = Array.from({ length: 500 }, () => follow("a"));
  const bystander = follow("b");
  expect(new Set(await Promise.all(followers.map(next)))).toEqual(new Set([1]));
  expect(await next(bystander)).toBe(1);
  expect(reads).toEqual({ a: 1, b: 1 });

  const second = followers.map(next);
  const others = next(bystander);
  await turn();
  version.a = 2;
  changes.notify("a");
  expect(new Set(await Promise.all(second))).toEqual(new Set([2]));
  expect(reads).toEqual({ a: 2, b: 1 });

  version.b = 2;
  changes.notify();
  expect(await others).toBe(2);
});

test("one who comes after a change does not get what was being read before it", async () => {
  const { version, reads, database, changes, follow } = setting();
  let answer = (): void => undefined;
  database.answers = new Promise((resolve) => (answer = resolve));
  const early = next(follow("a"));
  await turn();
  version.a = 2;
  changes.notify("a");
  const late = next(follow("a"));
  await turn();
  answer();
  expect([await early, await late]).toEqual([1, 2]);
  expect(reads.a).toBe(2);
});

test("one who is slow gets the newest state, and none of those between", async () => {
  const { version, changes, follow } = setting();
  const slow = follow("a");
  expect(await next(slow)).toBe(1);
  for (const newer of [2, 3, 4]) {
    version.a = newer;
    changes.notify("a");
  }
  expect([await next(slow), await next(slow)]).toEqual([4, undefined]);
});

test("while the database is down all go on waiting, and a read that failed is not kept", async () => {
  const { reads, database, changes, follow } = setting();
  database.isDown = true;
  const waiting = Array.from({ length: 10 }, () => next(follow("a")));
  await turn();
  expect(reads.a).toBe(1);
  database.isDown = false;
  changes.notify();
  expect(new Set(await Promise.all(waiting))).toEqual(new Set([1]));
  expect(reads.a).toBe(2);
});
