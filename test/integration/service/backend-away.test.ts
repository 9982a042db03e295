import { pino } from "pino";
import { dropLock, tryLock } from "../../../service/cluster/liveness";
import type { StackCli } from "../../../service/pulumi/stack-cli";
import { stacksOf } from "../../../service/pulumi/stacks/stacks";
import { StackUpkeep } from "../../../service/pulumi/stack-upkeep";
import { useServiceDatabase } from "../../support/service-database";

const database = useServiceDatabase();
const me = "00000000-0000-4000-8000-000000000001";
const other = "00000000-0000-4000-8000-000000000002";

// The clock that retries go by, and a test moves; the database answers in real time.
const clock = performance.now.bind(performance);
let later = 0;
beforeEach(() => jest.spyOn(performance, "now").mockImplementation(() => clock() + later));
afterEach(async () => {
  jest.restoreAllMocks();
  await database.sql("delete from public.service_stacks");
});

/** An upkeep of two spare stacks, on a state backend that a test takes away. */
function setting() {
  const backend = { isAway: false, killsAfterMaking: false, stacks: new Set<string>() };
  const reach = () => {
    if (backend.isAway) throw new Error("Command failed\nerror: the backend does not answer");
  };
  const cli: Partial<StackCli> = {
    async make(name) {
      await Promise.resolve();
      reach();
      if (backend.stacks.has(name)) throw new Error(`error: stack '${name}' already exists`);
      backend.stacks.add(name);
      if (backend.killsAfterMaking) throw new Error("killed");
      return "its settings";
    },
    async remove(name) {
      await Promise.resolve();
      reach();
      backend.stacks.delete(name);
    },
  };
  const lines: Record<string, unknown>[] = [];
  const log = pino({}, { write: (line) => void lines.push(JSON.parse(line) as (typeof lines)[0]) });
  const stacks = stacksOf(database.handle, me);
  const upkeep = new StackUpkeep({ count: 2, stacks, cli: cli as StackCli, log });
  /** So many steps, each as late as the longest pause. */
  const steps = async (count: number) => {
    for (let step = 0; step < count; step += 1) {
      await upkeep.step().catch(() => undefined);
      later += 60_000;
    }
  };
  return { backend, upkeep, steps, messages: () => lines.map(({ level, msg }) => [level, msg]) };
}

const rows = () =>
  database.sql<{ name: string; status: string }>(
    "select name, status from public.service_stacks where instance is distinct from $1 order by name",
    [other],
  );

test("a backend that is away leaves a few rows and one warning, however long it is", async () => {
  const { backend, steps, messages } = setting();
  backend.isAway = true;
  await steps(20);
  expect((await rows()).length).toBeLessThanOrEqual(3);
  expect(messages()).toEqual([[40, expect.stringMatching(/error: the backend does not answer$/)]]);
});

test("it is asked again within a minute, and then all is as if it had never been away", async () => {
  const { backend, upkeep, steps, messages } = setting();
  await database.sql(tryLock, [other]);
  await database.sql(
    "insert into public.service_stacks (name, status, instance) values ('of-another', 'making', $1)",
    [other],
  );
  backend.isAway = true;
  await steps(20);
  backend.isAway = false;
  await upkeep.step();
  expect((await rows()).map(({ status }) => status)).toContain("spare");
  await steps(10);
  const left = await rows();
  expect(left.map(({ status }) => status)).toEqual(["spare", "spare"]);
  expect(new Set(left.map(({ name }) => name))).toEqual(backend.stacks);
  expect(messages()[1]).toEqual([30, "stacks can be made in the state backend again"]);
  expect(messages()).toHaveLength(2);
  const others = await database.sql("select 1 from public.service_stacks where status = 'making'");
  expect(others).toHaveLength(1);
  await database.sql(dropLock, [other]);
});

test("stacks that a killed CLI made, and of which nobody knows, are removed", async () => {
  const { backend, steps } = setting();
  backend.killsAfterMaking = true;
  await steps(8);
  expect((await rows()).length).toBeLessThanOrEqual(3);
  backend.killsAfterMaking = false;
  await steps(10);
  expect(new Set((await rows()).map(({ name }) => name))).toEqual(backend.stacks);
  expect(backend.stacks.size).toBe(2);
});

test("between two tries nobody is asked", async () => {
  const { backend, upkeep } = setting();
  backend.isAway = true;
  await upkeep.step().catch(() => undefined);
  const before = await rows();
  for (let step = 0; step < 5; step += 1) expect(await upkeep.step()).toBe(false);
  expect(await rows()).toEqual(before);
});
