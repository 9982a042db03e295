import { writeFileSync } from "node:fs";
import path from "node:path";
import { Client } from "pg";
import { watchForHang } from "../../soak/watcher";
import { tenantLock } from "../../../provider/database/tenant-lock";
import { lockOf } from "../../../service/cluster/liveness";
import { hangReport } from "../../support/hang-report";
import { noEngine, startService, startServiceApp } from "../../support/service-app";
import { send, tenantBody } from "../../support/service-client";
import { useServiceDatabase } from "../../support/service-database";
import { cleanUpServices, temporaryFolder } from "../../support/service-process";
import { signed } from "../../support/service-tokens";

const database = useServiceDatabase();
let log: string;

beforeAll(async () => {
  // Makes the queue's tables.
  await (await startService(database.handle, noEngine())).close();
  log = path.join(temporaryFolder("watcher-"), "one.log");
  writeFileSync(log, "the first line\n".repeat(100) + "the last line\n");
});
afterAll(cleanUpServices);

/** Accepts a set-up that nobody works on. */
async function accept(slug: string): Promise<string> {
  const idle = await startServiceApp(database.handle, noEngine());
  const { body } = await send(`${idle.url}/api/tenant/setup`, {
    ...{ method: "POST", token: await signed(), headers: { Prefer: "respond-async" } },
    body: tenantBody({ slug, adminEmail: `ana@${slug}.example` }),
  });
  await idle.close();
  return body.id ?? "";
}

const watched = () => ({ url: database.url(), logs: { one: log }, limitMs: 2_000 });

test("a service that has nothing to do does not hang", async () => {
  const stopping = new AbortController();
  setTimeout(() => stopping.abort(), 4_000);
  await expect(watchForHang(watched(), stopping.signal)).resolves.toBeUndefined();
});

test("when nothing goes on, it is told which operation, which job, and who holds what", async () => {
  const over = await accept("over");
  await database.sql("delete from graphile_worker._private_jobs");
  await database.sql(
    "update public.operations set status = 'failed', finished_at = now(), failure = '{}'",
  );
  const id = await accept("hangs");
  await database.sql(
    "update public.operations set status = 'running', attempts = 3 where finished_at is null",
  );
  await database.sql(
    `update graphile_worker._private_jobs
    set locked_by = 'worker-1', locked_at = now() - interval '1 minute', last_error = 'went down'`,
  );
  const holder = new Client(database.url());
  await holder.connect();
  await holder.query(`select pg_advisory_lock(${lockOf("'worker-1'")})`);
  const [row] = await database.sql<{ tenant: string }>(
    "select tenant_id as tenant from public.operations where id = $1",
    [id],
  );
  const tenant = row?.tenant ?? "";
  const key = [tenantLock(tenant)];
  await holder.query("select pg_advisory_lock(hashtextextended($1, 0))", key);

  const hang = watchForHang(watched(), new AbortController().signal);
  const told = await hang.then(String, (error: unknown) => String(error));
  await holder.end();
  expect(told).toMatch(/^HangError: nothing has changed for \d+ s\n/);
  expect(told).toMatch(new RegExp(`"id":"${id}",.*"slug":"hangs","status":"running","attempts":3`));
  expect(told).toMatch(/"lockedBy":"worker-1","lockedS":6\d,.*"lastError":"went down"/);
  expect(told).toMatch(/"name":"worker worker-1","pid":\d+,"granted":true/);
  expect(told).toMatch(new RegExp(`"name":"tenant ${tenant}","pid":\\d+,"granted":true`));
  expect(told).toMatch(/"query":"select pg_advisory_lock/);
  expect(told).toContain("the last line");
  expect(told.match(/the first line/g)).toHaveLength(14);
  expect(told).not.toContain(over);
});

test("a database that does not answer is told as that", async () => {
  const told = await hangReport("postgres://nobody:s3cr3tpw@127.0.0.1:1/none", { one: "a line" });
  expect(told).toMatch(/the database:\n {2}does not tell: .*ECONNREFUSED/);
  expect(told).toContain("a line");
  expect(told).not.toContain("s3cr3tpw");
});
