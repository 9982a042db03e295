import { hold } from "../support/hold-points";
import { useKillHarness } from "../support/kill-harness";
import { PROJECT } from "../../service/config/project";
import { eventually } from "../support/killable-service";
import { locksIn } from "../support/pulumi-state";

describe.each(["file", "postgres"] as const)("with a %s:// backend", (backend) => {
  const harness = useKillHarness({ backend });

  /** Kills the CLI of a set-up, and the service with it, so that nobody tidies up. */
  async function leaveLock(slug: string): Promise<{ id: string; key: string }> {
    const held = await hold(harness.database, "in users");
    const id = await harness.ask(slug);
    await held.reached();
    const stack = await harness.database.stackOf(slug);
    const engine = harness.processes(new RegExp(`pulumi up .*--stack ${stack} `));
    expect(engine).toHaveLength(1);
    for (const { pid } of engine) process.kill(pid, "SIGKILL");
    await harness.service().kill();
    await held.release();
    const locks = (await locksIn(harness.state())).filter(
      (lock) => lock.stack === stack && lock.key.endsWith(".json"),
    );
    expect(locks).toHaveLength(1);
    return { id, key: locks[0]?.key ?? "" };
  }

  test("the lock that a killed run left on this machine is removed", async () => {
    const { id } = await leaveLock("here");
    await harness.restart();
    await harness.expectWhole("here", id);
  });

  test("and where the service did not come to keep the stack's settings, the stack is the same", async () => {
    const { id } = await leaveLock("unsettled");
    const stack = await harness.database.stackOf("unsettled");
    await harness.database.sql("update public.service_stacks set settings = null where name = $1", [
      stack,
    ]);
    await harness.restart();
    await harness.expectWhole("unsettled", id);
    expect(await harness.database.stackOf("unsettled")).toBe(stack);
  });

  test("so is that of a stack that a killed service never came to make", async () => {
    const { database, state } = harness;
    const tenant = await database.addWanted("unmade", "ana@unmade.example");
    await database.sql(
      "insert into public.service_stacks (name, status) values ('unmade', 'taken')",
    );
    await database.sql("update public.service_tenants set stack = 'unmade' where id = $1", [
      tenant,
    ]);
    const lock = { pid: 1, username: "me", hostname: "h", timestamp: "2026-01-01T00:00:00Z" };
    const key = `.pulumi/locks/organization/${PROJECT}/unmade/0b2f7c1e.json`;
    await state().write(key, JSON.stringify(lock));
    await harness.expectWhole("unmade", await harness.ask("unmade"));
    await eventually(async () => ((await state().keys()).includes(key) ? undefined : true));
    // It is forgotten last of all: a removal that is cut off begins again.
    const unmade = "select from public.service_stacks where name = 'unmade'";
    await eventually(async () => ((await database.sql(unmade)).length > 0 ? undefined : true));
  });

  test("so is that of a machine whose instances are dead", async () => {
    const { id, key } = await leaveLock("elsewhere");
    const hostname = "a-machine-that-died";
    const lock = JSON.parse(await harness.state().read(key)) as object;
    await harness.state().write(key, JSON.stringify({ ...lock, hostname }));
    await harness.database.sql("update public.service_instances set machine = $1", [hostname]);
    await harness.restart();
    await harness.expectWhole("elsewhere", id);
  });
});
