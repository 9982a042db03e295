import { Client } from "pg";
import { useFleet } from "../../support/fleet";
import { eventually } from "../../support/killable-service";

const fleet = useFleet();
beforeEach(() => fleet.reset());

/** Applied twice, it would show: one row for each time. */
const once =
  "create table if not exists b (id int); insert into b values (1); alter table a add name text";

/** Keeps a tenant's migration from ending: it changes `a`, which a session of this test holds. */
async function holdTable(slug: string): Promise<Client> {
  const holder = new Client(fleet.url());
  await holder.connect();
  await holder.query(`begin; lock table "${await fleet.schemaOf(slug)}".a`);
  return holder;
}

/** Starts a rollout that waits for its first tenant, until the holder ends. */
async function startHeld() {
  const holder = await holdTable("t-001");
  const runner = fleet.start("migrate", "--concurrency", "1", "--lock-timeout", "1m");
  await eventually(fleet.isWaitingForLock);
  return { holder, runner };
}

const rolloutId = async () => {
  const [row] = await fleet.sql<{ id: string }>("select id from public.rollouts");
  return row?.id ?? "";
};
const counts = async () => {
  const [row] = await fleet.sql<{ done: number; pending: number; taken: number }>(
    `select count(*) filter (where status = 'done')::int as done, count(runner)::int as taken,
      count(*) filter (where status = 'pending')::int as pending from public.rollout_tenants`,
  );
  return row ?? { done: 0, pending: 0, taken: 0 };
};
const expectEachOnce = async (slugs: string[]) => {
  for (const slug of slugs) {
    expect(await fleet.applied(slug)).toEqual(["1", "2"]);
    const schema = await fleet.schemaOf(slug);
    expect(await fleet.sql(`select id from "${schema}".b`)).toEqual([{ id: 1 }]);
  }
};

test("killed three times on the way, it is resumed, and nothing is applied twice", async () => {
  const slugs = await fleet.addTenants(24);
  fleet.write("2_more.sql", `${once}; select pg_sleep(0.05)`);
  let [done, first] = [0, true];
  for (const share of [3, 9, 15]) {
    const { child, ended } = fleet.start(
      ...(first ? ["migrate"] : ["resume"]),
      "--concurrency",
      "3",
    );
    first = false;
    await eventually(async () => (await counts()).done >= share || undefined);
    child.kill("SIGKILL");
    await ended;
    expect((await counts()).done).toBeGreaterThanOrEqual(done);
    ({ done } = await counts());
    expect(done).toBeLessThan(24);
  }
  const { code, stdout } = await fleet.run("resume");
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringMatching(/succeeded\. 24 of 24 tenants have every file/) as string,
  });
  await expectEachOnce(slugs);
});

test("Ctrl-C ends what is at work and leaves the rest; resume without an ID takes the newest rollout", async () => {
  const slugs = await fleet.addTenants(4);
  fleet.write("2_more.sql", once);
  const {
    holder,
    runner: { child, ended },
  } = await startHeld();
  child.kill("SIGINT");
  await eventually(() => fleet.said(child, /ending what is at work/));
  await holder.end();
  const { code, stdout } = await ended;
  expect({ code, stdout }).toEqual({
    code: 2,
    stdout: expect.stringMatching(
      /not ended\. 1 of 4 .*3 are left\nGo on by: .* resume /,
    ) as string,
  });
  expect(await counts()).toEqual({ done: 1, pending: 3, taken: 0 });
  expect((await fleet.run("resume")).code).toBe(0);
  await expectEachOnce(slugs);
});

test("two runners share a rollout: while one is held up, the other does the rest", async () => {
  const slugs = await fleet.addTenants(6);
  fleet.write("2_more.sql", once);
  const { holder, runner: first } = await startHeld();
  const second = fleet.start("resume", await rolloutId());
  await eventually(async () => (await counts()).done === 5 || undefined);
  expect(await counts()).toEqual({ done: 5, pending: 1, taken: 1 });
  await holder.end();
  expect((await first.ended).code).toBe(0);
  expect((await second.ended).code).toBe(0);
  await expectEachOnce(slugs);
});

test("paused it takes no other tenant, says so to who runs and who watches it, and goes on when resumed", async () => {
  const slugs = await fleet.addTenants(3);
  fleet.write("2_more.sql", once);
  const { holder, runner } = await startHeld();
  const id = await rolloutId();
  const watcher = fleet.start("watch", id, "--json");
  await eventually(() => fleet.said(watcher.child, /"event":"progress"/));
  expect((await fleet.run("pause")).stdout).toMatch(/^rollout \S+: paused\. 0 of 3 tenants/);
  await holder.end();
  expect((await runner.ended).code).toBe(2);
  const watched = await watcher.ended;
  expect(watched.code).toBe(2);
  expect(JSON.parse(watched.stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({
    ...{ event: "end", status: "paused", tenants: 3 },
  });
  expect(await counts()).toEqual({ done: 1, pending: 2, taken: 0 });
  expect((await fleet.run("migrate")).stderr).toMatch(
    /rollout \S+ has not ended: resume it, or cancel it/,
  );
  expect((await fleet.run("resume", id)).code).toBe(0);
  await expectEachOnce(slugs);
});

test("cancelled it has ended for good, and the next rollout takes what is left", async () => {
  const slugs = await fleet.addTenants(2);
  fleet.write("2_more.sql", once);
  const {
    holder,
    runner: { child, ended },
  } = await startHeld();
  child.kill("SIGKILL");
  await ended;
  const id = await rolloutId();
  expect((await fleet.run("cancel", id)).code).toBe(0);
  expect((await fleet.run("resume", id)).stderr).toBe(`rollout ${id} has ended: it is cancelled\n`);
  expect((await fleet.run("pause", id)).stderr).toMatch(/has ended: it is cancelled/);
  await holder.end();
  expect((await fleet.run("migrate")).code).toBe(0);
  await expectEachOnce(slugs);
});

test("a folder with other files than those that are rolled out is refused, and so is a rollout that there is not", async () => {
  await fleet.addTenants(2);
  fleet.write("2_more.sql", once);
  const { holder, runner } = await startHeld();
  fleet.write("3_most.sql", once);
  expect((await fleet.run("resume")).stderr).toMatch(
    /is running with other files .*: pause it first/,
  );
  fleet.remove("3_most.sql");
  await holder.end();
  expect((await runner.ended).code).toBe(0);
  expect((await fleet.run("resume", "nonsense")).stderr).toBe("there is no rollout nonsense\n");
  expect((await fleet.run("cancel")).stderr).toBe("name the rollout by its ID\n");
});
