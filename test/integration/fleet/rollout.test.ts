import { Client } from "pg";
import { readRollout } from "../../../fleet/rollout/read";
import { conclude } from "../../../fleet/rollout/settle";
import { withConnection } from "../../../provider/database/pool";
import { parseDatabaseUrl } from "../../../provider/database/settings";
import { tenantLock } from "../../../provider/database/tenant-lock";
import { useFleet } from "../../support/fleet";
import { eventually } from "../../support/killable-service";

const fleet = useFleet();
beforeEach(() => fleet.reset());

/** Applied twice, it would show: one row for each time. */
const more = "create table if not exists b (id int); insert into b values (1)";

const timesApplied = async (slug: string) => {
  const [row] = await fleet.sql<{ times: number }>(
    `select count(*)::int as times from "${await fleet.schemaOf(slug)}".b`,
  );
  return row?.times;
};
const allApplied = (slugs: string[]) => Promise.all(slugs.map((slug) => fleet.applied(slug)));
const statuses = async () =>
  Object.fromEntries(
    (
      await fleet.sql<{ slug: string; status: string }>(
        "select slug, r.status from public.rollout_tenants r join public.tenants on id = tenant_id order by 1",
      )
    ).map(({ slug, status }) => [slug, status]),
  );
const rolloutId = async () => {
  const [row] = await fleet.sql<{ id: string }>(
    "select id from public.rollouts order by created_at desc limit 1",
  );
  return row?.id ?? "";
};

/** Makes the tenant's second migration wait: it changes `a`, which a session of this test holds. */
async function holdTable(slug: string): Promise<Client> {
  const holder = new Client(fleet.url());
  await holder.connect();
  await holder.query(`begin; lock table "${await fleet.schemaOf(slug)}".a`);
  return holder;
}
const changeA = `${more}; alter table a add column name text`;

/** Has a migration of this tenant fail that makes `b` anew. */
const spoil = async (slug: string) =>
  fleet.sql(`create table "${await fleet.schemaOf(slug)}".b (id int)`);
const mend = async (slug: string) => fleet.sql(`drop table "${await fleet.schemaOf(slug)}".b`);

test("every tenant gets what it lacks, once, and has it on record", async () => {
  const old = await fleet.addTenants(5, { prefix: "old" });
  fleet.write("2_more.sql", more);
  const newer = await fleet.addTenants(1, { prefix: "newer" });
  fleet.write("3_most.sql", "create table c (id int)");
  const declared = await fleet.addTenants(1, { prefix: "declared", owner: "acme/shop/prod" });
  fleet.write("4_last.sql", "create table d (id int)");
  const { code, stdout, stderr } = await fleet.run("migrate");
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringMatching(
      /^rollout \S+: succeeded\. 6 of 6 tenants have every file, 0 failed, 0 are left\n$/,
    ) as string,
  });
  expect(stderr).toMatch(/^0\/6 tenants {2}0 failed/);
  expect(await allApplied([...old, ...newer])).toEqual(Array(6).fill(["1", "2", "3", "4"]));
  expect(await allApplied(declared)).toEqual([["1", "2", "3"]]);
  expect(await Promise.all(old.map(timesApplied))).toEqual(Array(5).fill(1));
  expect(JSON.parse((await fleet.run("status", "--json")).stdout)).toEqual([
    { owner: "service", version: "4", lacks: [], tenants: 6, behind: [], failures: [] },
  ]);
  expect(await fleet.run("migrate")).toEqual({
    ...{ code: 0, stderr: "" },
    stdout: "no tenant lacks a migration\n",
  });
});

test("one that fails is named with its file and PostgreSQL's message, stays as it was, and stops nobody", async () => {
  await fleet.addTenants(4);
  fleet.write("2_ok.sql", "create table c (id int)");
  fleet.write("3_more.sql", "create table b (id int)");
  await spoil("t-002");
  const { code, stdout } = await fleet.run("migrate");
  expect(code).toBe(1);
  expect(stdout).toMatch(/^t-002 +migration 3_more\.sql failed .*relation "b" already exists/m);
  expect(stdout).toMatch(/failed \(1 failed\)\. 3 of 4 tenants .*, 1 failed, 0 are left\nGo on by/);
  expect(await allApplied(["t-001", "t-002"])).toEqual([
    ["1", "2", "3"],
    ["1", "2"],
  ]);
  expect((await fleet.run("status")).stdout).toMatch(
    /4 tenants, 1 behind: t-002\n\nfailed +why\nt-002 +migration 3_more\.sql failed .*already exists/,
  );
  await mend("t-002");
  expect((await fleet.run("resume")).code).toBe(0);
  expect(await fleet.applied("t-002")).toEqual(["1", "2", "3"]);
  expect((await fleet.run("status")).stdout).not.toContain("failed");
});

test("where a canary fails nobody else is touched; once the file is mended, all get it", async () => {
  const slugs = await fleet.addTenants(6);
  fleet.write("2_more.sql", "create table b (id nonsense)");
  const { code, stdout } = await fleet.run("migrate", "--canary", "1", "--json");
  expect(code).toBe(1);
  const end = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as object;
  expect(end).toMatchObject({
    ...{ event: "end", status: "failed", tenants: 6, done: 0, failed: 1 },
    reason: "a canary failed, so the other tenants were left as they are",
    failures: [{ slug: "t-001", message: expect.stringContaining("nonsense") as string }],
  });
  expect((await statuses())["t-002"]).toBe("pending");
  fleet.write("2_more.sql", more);
  expect((await fleet.run("resume")).code).toBe(0);
  expect(await allApplied(slugs)).toEqual(Array(6).fill(["1", "2"]));
});

test("canaries are alone until they are done, then the active come before the others", async () => {
  await fleet.addTenants(1, { prefix: "a-deleted", status: "deleted" });
  await fleet.addTenants(1, { prefix: "b-suspended", status: "suspended" });
  await fleet.addTenants(3);
  fleet.write("2_more.sql", changeA);
  const holder = await holdTable("t-003");
  const args = ["--canary", "1", "--order", "newest", "--lock-timeout", "1m"];
  const { ended } = fleet.start("migrate", ...args);
  await eventually(async () => {
    const rows = await fleet.sql("select from public.rollout_tenants where runner is not null");
    return rows.length > 0 || undefined;
  });
  expect(new Set(Object.values(await statuses()))).toEqual(new Set(["pending"]));
  await holder.end();
  expect((await ended).code).toBe(0);
  const order = await fleet.sql<{ slug: string }>(
    "select slug from public.rollout_tenants join public.tenants on id = tenant_id order by position",
  );
  expect(order.map(({ slug }) => slug)).toEqual([
    ...["t-003", "t-002", "t-001", "b-suspended-001", "a-deleted-001"],
  ]);
});

test.each([
  [["--on-error", "stop"], 1],
  [["--max-failures", "2"], 2],
])("with %j it stops after so many failures", async (args, failures) => {
  for (const slug of await fleet.addTenants(5)) await spoil(slug);
  fleet.write("2_more.sql", "create table b (id int)");
  const { code, stdout } = await fleet.run("migrate", "--concurrency", "1", ...args);
  expect({ code, stdout }).toEqual({
    code: 1,
    stdout: expect.stringMatching(
      `stopped when ${failures} had failed.*${failures} failed, `,
    ) as string,
  });
  const left = Object.values(await statuses()).filter((status) => status === "pending");
  expect(left).toHaveLength(5 - failures);
});

test("a file that was edited or is gone is refused before anything runs, with the tenants that have it", async () => {
  fleet.write("2_more.sql", more);
  fleet.write("3_gone.sql", more);
  await fleet.addTenants(7);
  fleet.write("2_more.sql", `${more} -- edited`);
  fleet.remove("3_gone.sql");
  fleet.write("4_new.sql", more);
  const named = "\\(t-001, t-002, t-003, t-004, t-005 and 2 more\\)";
  const { code, stderr } = await fleet.run("migrate");
  expect(code).toBe(1);
  expect(stderr).toMatch(
    new RegExp(
      `^2_more\\.sql was edited .* ${named}\n3_gone\\.sql is applied, and not .* ${named}\n$`,
    ),
  );
  expect(await rolloutId()).toBe("");
});

test("a migration that does not get its lock is tried again while the others go on, with the limits given", async () => {
  const slugs = await fleet.addTenants(3);
  fleet.write(
    "2_more.sql",
    `reset lock_timeout; create table limits as select
      current_setting('lock_timeout') as lock, current_setting('statement_timeout') as statement;
    ${changeA}`,
  );
  const holder = await holdTable("t-001");
  const { ended } = fleet.start("migrate", "--lock-timeout", "100ms", "--statement-timeout", "7m");
  await eventually(async () => {
    const rows = await fleet.sql("select from public.rollout_tenants where lock_tries >= 2");
    return rows.length > 0 || undefined;
  });
  expect(await statuses()).toMatchObject({ "t-001": "pending", "t-002": "done", "t-003": "done" });
  await holder.end();
  expect((await ended).code).toBe(0);
  expect(await Promise.all(slugs.map(timesApplied))).toEqual([1, 1, 1]);
  expect(await fleet.sql(`select * from "${await fleet.schemaOf("t-001")}".limits`)).toEqual([
    { lock: "100ms", statement: "7min" },
  ]);
});

test("one that never gets its lock has failed after so many tries, with what it waited for", async () => {
  await fleet.addTenants(1);
  fleet.write("2_more.sql", changeA);
  const holder = await holdTable("t-001");
  const { code, stdout } = await fleet.run(
    ...["migrate", "--lock-timeout", "50ms", "--lock-retries", "1"],
  );
  await holder.end();
  expect({ code, stdout }).toEqual({
    code: 1,
    stdout: expect.stringMatching(/t-001 .*2_more\.sql failed.*lock timeout/) as string,
  });
});

test("a tenant in the middle of another operation is taken when that has ended; one that was removed is not", async () => {
  const [busy = "", removed = ""] = await fleet.addTenants(2);
  fleet.write("2_more.sql", more);
  const holder = new Client(fleet.url());
  await holder.connect();
  for (const slug of [busy, removed]) {
    const id = (await fleet.schemaOf(slug)).replace("tenant_", "");
    await holder.query("select pg_advisory_lock(hashtextextended($1, 0))", [tenantLock(id)]);
  }
  const { ended } = fleet.start("migrate");
  await eventually(async () => {
    const rows = await fleet.sql(
      "select from public.rollout_tenants where started_at is not null and runner is null",
    );
    return rows.length === 2 || undefined;
  });
  await fleet.sql("delete from public.tenants where slug = $1", [removed]);
  await holder.end();
  const { code, stdout } = await ended;
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringMatching(
      /succeeded\. 1 of 2 tenants have every file, 0 failed, 0 are left/,
    ) as string,
  });
  expect(await timesApplied(busy)).toBe(1);
});

test("of two runners that find no tenant left, the second does not end a rollout to which the first adds one", async () => {
  await fleet.addTenants(1);
  fleet.write("2_more.sql", more);
  await fleet.run("migrate");
  const rollout = await withConnection(parseDatabaseUrl(fleet.url(), "URL"), async (client) =>
    readRollout(client, await rolloutId()),
  );
  await fleet.sql("update public.rollouts set status = 'running', finished_at = null");
  fleet.remove("2_more.sql");
  await fleet.addTenants(1, { prefix: "late" });
  const [first, second] = [new Client(fleet.url()), new Client(fleet.url())];
  await Promise.all([first, second].map((client) => client.connect()));
  await Promise.all([first, second].map((client) => client.query("begin")));
  expect(await conclude(first, rollout)).toBe("running");
  const ended = conclude(second, rollout);
  await eventually(async () => {
    const waiting = await fleet.sql(
      "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
    );
    return waiting.length > 0 || undefined;
  });
  await first.query("commit");
  expect(await ended).toBe("running");
  await second.query("commit");
  await Promise.all([first, second].map((client) => client.end()));
});

test("a tenant that came to lack a file during the rollout gets it too", async () => {
  await fleet.addTenants(1);
  fleet.write("2_more.sql", changeA);
  const holder = await holdTable("t-001");
  const { ended } = fleet.start("migrate", "--lock-timeout", "1m");
  await eventually(fleet.isWaitingForLock);
  fleet.remove("2_more.sql");
  await fleet.addTenants(1, { prefix: "late" });
  fleet.write("2_more.sql", changeA);
  await holder.end();
  expect((await ended).code).toBe(0);
  expect(await fleet.applied("late-001")).toEqual(["1", "2"]);
});
