import { hostname } from "node:os";
import { Client } from "pg";
import {
  deadInstances,
  newInstance,
  pruneInstances,
  register,
  tryLock,
} from "../../../service/cluster/liveness";
import { eventually } from "../../support/killable-service";
import { noEngine, startService } from "../../support/service-app";
import { useServiceDatabase } from "../../support/service-database";

const database = useServiceDatabase();
const sessions: Client[] = [];

afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.end()));
  await database.sql("delete from public.service_instances");
});

const ids = {
  alive: "00000000-0000-4000-8000-000000000001",
  dead: "00000000-0000-4000-8000-000000000002",
};

async function begin(id: string): Promise<Client> {
  const session = new Client(database.url());
  await session.connect();
  sessions.push(session);
  await session.query(tryLock, [id]);
  await register(session, newInstance(id));
  return session;
}

/** Ends an instance as a kill does, and waits until its lock is gone. */
async function kill(session: Client): Promise<void> {
  sessions.splice(sessions.indexOf(session), 1);
  await session.end();
  await eventually(async () => ((await dead()).length > 0 ? true : undefined));
}

const dead = () => database.handle.transaction(deadInstances);
const rows = () =>
  database.sql<{ id: string; machine: string }>(
    "select id, machine from public.service_instances order by id",
  );

test("an instance is alive as long as its session, and its row outlives a kill", async () => {
  await begin(ids.alive);
  const session = await begin(ids.dead);
  expect(await dead()).toEqual([]);
  await kill(session);
  expect(await dead()).toEqual([ids.dead]);
  expect(await rows()).toEqual(Object.values(ids).map((id) => ({ id, machine: hostname() })));
});

test("an instance that lost its session and has another is alive again", async () => {
  await kill(await begin(ids.dead));
  await database.handle.transaction(pruneInstances);
  await begin(ids.dead);
  expect(await dead()).toEqual([]);
  expect(await database.sql("select dead_since from public.service_instances")).toEqual([
    { dead_since: null },
  ]);
});

test("the row of a dead instance goes a week after it was found dead", async () => {
  await begin(ids.alive);
  await kill(await begin(ids.dead));
  await database.handle.transaction(pruneInstances);
  await database.handle.transaction(pruneInstances);
  expect(await rows()).toHaveLength(2);
  await database.sql(
    "update public.service_instances set dead_since = dead_since - interval '8 days'",
  );
  await database.handle.transaction(pruneInstances);
  expect(await rows()).toEqual([{ id: ids.alive, machine: hostname() }]);
});

test("a service that runs has a row; of one that ended as asked it stays, as of a dead one", async () => {
  const service = await startService(database.handle, noEngine());
  await eventually(async () => ((await rows()).length === 1 ? true : undefined));
  expect(await dead()).toEqual([]);
  await service.close();
  await eventually(async () => ((await dead()).length === 1 ? true : undefined));
  const left = "select dead_since is not null as ended from public.service_instances";
  expect(await database.sql(left)).toEqual([{ ended: true }]);
});
