import { hold, type HoldPoint } from "../support/hold-points";
import { useKillHarness } from "../support/kill-harness";
import { eventually } from "../support/killable-service";
import { useOwnPostgres } from "../support/own-postgres";

const server = useOwnPostgres();
const harness = useKillHarness();
afterAll(() => server.stop());

describe("PostgreSQL itself is killed, and started again on its data: a set-up ends well", () => {
  test.each<[string, HoldPoint]>([
    ["in step record", "in tenants"],
    ["in step migrations", "in create table routes"],
    ["before its end is written", "before succeeded"],
  ])("%s", async (boundary, point) => {
    const slug = boundary.replaceAll(" ", "-");
    const held = await hold(harness.database, point);
    const id = await harness.ask(slug);
    await held.reached();
    await server.crash();
    await held.release();
    await harness.expectWhole(slug, id);
  });

  test("when step membership is committed, but not told to the engine", async () => {
    const held = await hold(harness.database, "in tenant_users");
    const id = await harness.ask("untold");
    await held.reached();
    const goOn = await harness.stopEngine("untold");
    await held.release();
    await eventually(async () => {
      const rows = await harness.database.sql(
        "select from public.tenants where slug = 'untold' and status = 'active'",
      );
      return rows.length > 0 ? true : undefined;
    });
    await server.crash();
    goOn();
    await harness.expectWhole("untold", id);
  });
});

test("a backend is killed, over which PostgreSQL ends all others: a set-up ends well", async () => {
  const held = await hold(harness.database, "in create schema");
  const id = await harness.ask("backend");
  const before = await ownBackend();
  process.kill(await held.reached(), "SIGKILL");
  await held.release();
  // It recovers when it has ended all backends, this test's too.
  await eventually(async () => {
    const now = await ownBackend().catch(() => before);
    return now === before ? undefined : now;
  });
  await harness.expectWhole("backend", id);
});

async function ownBackend(): Promise<number | undefined> {
  const rows = await harness.database.sql<{ pid: number }>("select pg_backend_pid() as pid");
  return rows[0]?.pid;
}
