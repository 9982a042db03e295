import { randomUUID } from "node:crypto";
import { letOperationsPass } from "../../../service/rollouts/let-pass";
import { useServiceDatabase } from "../../support/service-database";

const database = useServiceDatabase();
const stop = new AbortController().signal;
const pass = (longestMs: number) => letOperationsPass(database.handle.query, { stop, longestMs });

/** An operation that is under way since so many seconds. */
async function underWay(sinceS: number): Promise<string> {
  const [row] = await database.sql<{ id: string }>(
    `insert into public.operations (id, tenant_id, slug, kind, status, request, started_at)
    values ($1, $2, 'x', 'suspend', 'running', '{}', now() - $3 * interval '1 s') returning id`,
    [randomUUID(), randomUUID(), sinceS],
  );
  return row?.id ?? "";
}
const finish = (id: string) =>
  database.sql(
    "update public.operations set status = 'succeeded', applied_at = now(), finished_at = now() where id = $1",
    [id],
  );

/** How it ended, of what takes no longer than the other. */
const first = (work: Promise<void>, other: Promise<unknown>) =>
  Promise.race([work.then(() => "passed"), other.then(() => "ended")]);

test("a tenant is not taken before an operation that began just now has ended", async () => {
  const id = await underWay(0);
  const passed = pass(60_000);
  expect(await first(passed, pass(200))).toBe("ended");
  await finish(id);
  await passed;
});

test("one that takes longer has other troubles, and is not waited for", async () => {
  const id = await underWay(10);
  expect(await first(pass(60_000), new Promise(() => undefined))).toBe("passed");
  await finish(id);
});

test("where operations never end, it is waited for a while only", async () => {
  const id = await underWay(-60);
  await pass(100);
  await finish(id);
});
