/** A program host whose runs do what their tenant's id says, in the place of the real one. */
import { setTimeout as delay } from "node:timers/promises";
import { worker, workerEmit } from "workerpool";
import type { RunOutcome, RunRequest } from "../../service/pulumi/engine-runs";

const behaviours: Record<string, () => Promise<void>> = {
  behaves: () => delay(300),
  async rejects() {
    void Promise.reject(new Error("nobody awaits this"));
    await delay(300);
  },
  loops() {
    for (;;);
  },
  async hangs() {
    await delay(600_000);
  },
  async eats() {
    const eaten: number[][] = [];
    for (;;) {
      eaten.push(Array.from({ length: 100_000 }, Math.random));
      await delay(0);
    }
  },
  async dies() {
    process.kill(process.pid, "SIGKILL");
    await delay(10_000);
  },
};

let begun = false;

worker({
  begin() {
    begun = true;
    return process.pid;
  },
  async finish({ tenantId }: RunRequest): Promise<RunOutcome> {
    if (!begun) return { result: "failed", faults: ["no run was begun"] };
    begun = false;
    if (tenantId !== "never arrives") workerEmit({ reached: process.pid });
    await behaviours[tenantId]?.();
    return { result: "succeeded" };
  },
});
