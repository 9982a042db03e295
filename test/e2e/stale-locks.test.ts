import { hold } from "../support/hold-points";
import { useKillHarness } from "../support/kill-harness";
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
