import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { eventually } from "../../support/killable-service";
import { FakeEngineRuns, noEngine, startService, startServiceApp } from "../../support/service-app";
import { send, tenantBody } from "../../support/service-client";
import { ownedByService, useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

const database = useServiceDatabase();
let paused: ChildProcess | undefined;
// A stopped process hears of nothing else, and keeps the tests from ending.
afterAll(() => paused?.kill("SIGKILL"));

const job = () =>
  database.sql<{ id: string; key: string; locked_by: string }>(
    "select id, key, locked_by from graphile_worker.jobs",
  );

test("an instance that was paused leaves the job to the one that has taken it over", async () => {
  const file = path.join(__dirname, "../../support/instance-to-pause.js");
  // Jest's environment is its own.
  const instance = (paused = fork(file, { env: process.env }));
  const exited = once(instance, "exit");
  const tells = () => Promise.race([once(instance, "message"), exited]);
  expect(await tells()).toEqual(["started", undefined]);
  const idle = await startServiceApp(database.handle, noEngine());
  const { body } = await send(`${idle.url}/api/tenant/setup`, {
    ...{ method: "POST", token: await signed(), headers: { Prefer: "respond-async" } },
    body: tenantBody({ slug: "taken-over" }),
  });
  expect(await tells()).toEqual([{ began: "taken-over" }, undefined]);
  const [before] = await job();
  instance.kill("SIGSTOP");
  await database.asSuperuser(
    `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name like 'pulumi-tenant%'`,
  );

  let began: () => void = () => undefined;
  let end: () => void = () => undefined;
  const atWork = new Promise<void>((resolve) => (began = resolve));
  const ended = new Promise<void>((resolve) => (end = resolve));
  const runs = new FakeEngineRuns(async ({ id, slug }) => {
    began();
    await ended;
    await database.addTenant(slug, { id, owner: ownedByService(id) });
    return { result: "succeeded" };
  });
  // What it finds in its pool at first may be one that was ended.
  const other = await eventually(() => startService(database.handle, runs).catch(() => undefined));
  await atWork;
  const [taken] = await job();
  expect(taken).toMatchObject({ id: before?.id, key: body.id });
  expect(taken?.locked_by).not.toBe(before?.locked_by);

  // It brings what it has to its end, and then ends itself.
  instance.kill("SIGCONT");
  instance.send("end");
  instance.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
  expect(await job()).toEqual([taken]);
  end();
  await other.close();
  await idle.close();
  expect(await database.sql("select status, attempts from public.operations")).toEqual([
    { status: "succeeded", attempts: 2 },
  ]);
  expect(runs.asked).toHaveLength(1);
  expect(await job()).toEqual([]);
});
