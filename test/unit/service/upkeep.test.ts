import { pino } from "pino";
import type { StackCli } from "../../../service/pulumi/stack-cli";
import type { Stacks } from "../../../service/pulumi/stacks/stacks";
import { StackUpkeep } from "../../../service/pulumi/stack-upkeep";

/** An upkeep in a world where a request takes each spare stack at once. */
function underLoad(lost: string[], cannotRemove: string[] = []) {
  const did: string[] = [];
  const stacks: Partial<Stacks> = {
    countSpare: () => Promise.resolve(0),
    async addSpare(make) {
      await make("spare");
    },
    suspects: () => Promise.resolve([]),
    takeLost: () => Promise.resolve([...lost]),
    forget(name) {
      lost.splice(lost.indexOf(name), 1);
      return Promise.resolve();
    },
  };
  const cli: Partial<StackCli> = {
    make(name) {
      did.push(`make ${name}`);
      return Promise.resolve("its settings");
    },
    remove(name) {
      if (cannotRemove.includes(name)) return Promise.reject(new Error("the backend is down"));
      did.push(`remove ${name}`);
      return Promise.resolve();
    },
  };
  const log = pino({ level: "silent" });
  const upkeep = new StackUpkeep({ count: 2, stacks: stacks as Stacks, cli: cli as StackCli, log });
  return { upkeep, did };
}

test("what dead instances left is removed, though spare stacks are always missing", async () => {
  const { upkeep, did } = underLoad(["lost-1", "lost-2"]);
  for (let steps = 0; steps < 3; steps += 1) expect(await upkeep.step()).toBe(true);
  expect(did).toEqual([
    ...["remove lost-1", "make spare"],
    ...["remove lost-2", "make spare", "make spare"],
  ]);
});

test("a stack that cannot be removed keeps nothing else from being done", async () => {
  const { upkeep, did } = underLoad(["stuck", "lost"], ["stuck"]);
  for (let steps = 0; steps < 2; steps += 1) await upkeep.step();
  expect(did).toEqual(["make spare", "remove lost", "make spare"]);
});

test("instances are dead when two looks in a row find them without their lock, and not before", async () => {
  const looks = [["was-away", "dead"], ["dead"], ["was-away"], []];
  const taken: (readonly string[])[] = [];
  const stacks: Partial<Stacks> = {
    countSpare: () => Promise.resolve(2),
    suspects: () => Promise.resolve(looks.shift() ?? []),
    takeLost(dead) {
      taken.push(dead);
      return Promise.resolve([]);
    },
  };
  const [cli, log] = [{} as StackCli, pino({ level: "silent" })];
  const upkeep = new StackUpkeep({ count: 2, stacks: stacks as Stacks, cli, log });
  const clock = jest.spyOn(performance, "now");
  try {
    for (const ms of [0, 1, 1_499, 1_500, 3_000, 4_500]) {
      clock.mockReturnValue(ms);
      await upkeep.step();
    }
  } finally {
    clock.mockRestore();
  }
  expect(taken).toEqual([[], ["dead"], [], []]);
});
