import { Client } from "pg";
import { deregister, newInstance, register, tryLock } from "../../../service/cluster/liveness";
import { lockIsStale } from "../../../service/pulumi/stack-lock";
import { useServiceDatabase } from "../../support/service-database";
import { lockedError } from "../../support/stack-locks";

const database = useServiceDatabase();
const sessions: Client[] = [];
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.end()));
  await database.sql("delete from public.service_instances");
});

const machine = "another-machine";
const noon = new Date("2026-01-01T12:00:00Z");
const seconds = (count: number) => new Date(noon.getTime() + count * 1_000);
const locked = (at: Date) => lockedError({ pid: 1, machine, at });

let last = 0;
const newId = () => `00000000-0000-4000-8000-${String((last += 1)).padStart(12, "0")}`;

async function alive(startedAt: Date): Promise<void> {
  const session = new Client(database.url());
  await session.connect();
  sessions.push(session);
  const instance = { ...newInstance(newId()), machine, startedAt };
  await session.query(tryLock, [instance.id]);
  await register(session, instance);
}

async function dead(startedAt: Date): Promise<void> {
  await database.sql(
    "insert into public.service_instances (id, machine, started_at) values ($1, $2, $3)",
    [newId(), machine, startedAt],
  );
}

test("the lock of a machine that no instance ever ran on is left alone", async () => {
  expect(await lockIsStale(database.handle.query, locked(noon))).toBe(false);
});

test("the lock of a machine whose instances are dead is stale", async () => {
  await dead(seconds(-10));
  await dead(seconds(-5));
  expect(await lockIsStale(database.handle.query, locked(noon))).toBe(true);
});

test("the lock of a machine whose instance has ended as asked is stale", async () => {
  const session = new Client(database.url());
  await session.connect();
  const instance = { ...newInstance(newId()), machine, startedAt: seconds(-10) };
  await session.query(tryLock, [instance.id]);
  await register(session, instance);
  expect(await lockIsStale(database.handle.query, locked(noon))).toBe(false);
  await deregister(database.handle.query, instance);
  await session.end();
  expect(await lockIsStale(database.handle.query, locked(noon))).toBe(true);
});

test("the lock of a machine with an instance of that time is left alone", async () => {
  await dead(seconds(-10));
  await alive(seconds(-5));
  expect(await lockIsStale(database.handle.query, locked(noon))).toBe(false);
});

test("a lock that is older than every instance that lives there is stale", async () => {
  await dead(seconds(-10));
  await alive(seconds(5));
  expect(await lockIsStale(database.handle.query, locked(noon))).toBe(true);
});

test("a lock is dated to the second: one of the second of a start may be that instance's", async () => {
  await alive(new Date(noon.getTime() + 900));
  expect(await lockIsStale(database.handle.query, locked(noon))).toBe(false);
});

test("an instance that is back within the time of two looks is not dead", async () => {
  await dead(seconds(-10));
  const judged = lockIsStale(database.handle.query, locked(noon));
  const [row] = await database.sql<{ id: string }>("select id from public.service_instances");
  const session = new Client(database.url());
  await session.connect();
  sessions.push(session);
  await session.query(tryLock, [row?.id]);
  await register(session, { id: row?.id ?? "", machine, startedAt: seconds(-10) });
  expect(await judged).toBe(false);
});
