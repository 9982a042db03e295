import { BETWEEN_LOOKS } from "../queue/dead-workers";
import { endOrphans } from "../runs/processes";
import type { StackCli } from "./stack-cli";
import type { Stacks } from "./stacks";

/** What spare stacks are kept with. */
export interface UpkeepSettings {
  /** How many spare stacks there are to be. */
  readonly count: number;
  readonly stacks: Stacks;
  readonly cli: StackCli;
}

/** Keeps spare stacks, and removes those that dead instances left in the making, or parked. */
export class StackUpkeep {
  private suspects = new Set<string>();
  private looked = -Infinity;

  constructor(private readonly settings: UpkeepSettings) {}

  /**
   * Does one thing that is to be done.
   *
   * @returns whether there may be more.
   */
  async step(): Promise<boolean> {
    const { count, stacks, cli } = this.settings;
    if ((await stacks.countSpare()) < count) {
      await stacks.addSpare((name) => cli.make(name, { background: true }));
      return true;
    }
    await this.removeLost();
    return false;
  }

  private async removeLost(): Promise<void> {
    if (performance.now() - this.looked < BETWEEN_LOOKS) return;
    const { stacks, cli } = this.settings;
    const free = await stacks.suspects();
    const dead = free.filter((instance) => this.suspects.has(instance));
    this.suspects = new Set(free);
    this.looked = performance.now();
    // A CLI that is still making a stack would make it after it was removed.
    if (dead.length > 0) endOrphans();
    for (const name of await stacks.takeLost(dead)) {
      await cli.remove(name);
      await stacks.forget(name);
    }
  }
}
