import { follow } from "../../soak/follow";
import { Ledger } from "../../soak/ledger";
import type { Scene } from "../../soak/scene";

const minute = 60_000;
const how = { token: "token", instance: 0, slug: "acme", events: false };

/** A service whose operation is at each look where the list says, each look a minute after the one before. */
async function followed(statuses: readonly string[], lastTrouble: (now: number) => number) {
  const ledger = new Ledger();
  let looks = 0;
  jest.spyOn(performance, "now").mockImplementation(() => looks * minute);
  jest.spyOn(globalThis, "fetch").mockImplementation(() => {
    const status = statuses[Math.min(looks, statuses.length - 1)];
    looks += 1;
    return Promise.resolve(Response.json({ kind: "suspend", status }));
  });
  const scene: Scene = {
    instances: [{ url: "http://127.0.0.1:2" }],
    ...{ secret: "", ledger, archives: { folder: "", env: undefined, commands: [] } },
    lastTrouble: () => lastTrouble(performance.now()),
  };
  await follow(scene, { status: 202, id: "operation" }, how);
  jest.restoreAllMocks();
  return ledger.followed.map(({ status }) => status);
}

const running = (count: number) => Array.from({ length: count }, () => "running");

test("an operation that trouble keeps from its end is followed until it ends", async () => {
  expect(await followed([...running(6), "succeeded"], (now) => now)).toEqual(["succeeded"]);
});

test("one that does not end without trouble is found out", async () => {
  expect(await followed(running(9), () => -Infinity)).toEqual(["running"]);
  expect(await followed(running(9), () => minute)).toEqual(["running"]);
});
