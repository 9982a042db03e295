import type { StackCli } from "./stack-cli";
import type { Stacks } from "./stacks";

/** What spare stacks are kept with. */
export interface UpkeepSettings {
  /** How many spare stacks there are to be. */
  readonly count: number;
  readonly stacks: Stacks;
  readonly cli: StackCli;
  /** The instances that are dead. */
  readonly deadInstances: () => Promise<readonly string[]>;
}

/**
 * One step of the upkeep of spare stacks: makes one that is missing, or removes those that dead
 * instances left in the making, or parked.
 *
 * @returns whether there may be more to do.
 */
export async function keepSpareStacks(settings: UpkeepSettings): Promise<boolean> {
  const { count, stacks, cli } = settings;
  if ((await stacks.countSpare()) < count) {
    await stacks.addSpare((name) => cli.make(name, { background: true }));
    return true;
  }
  const lost = await stacks.takeLost(await settings.deadInstances());
  for (const name of lost) {
    await cli.remove(name);
    await stacks.forget(name);
  }
  return lost.length > 0;
}
