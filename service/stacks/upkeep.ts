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
  private lost: string[] = [];

  constructor(private readonly settings: UpkeepSettings) {}

  /**
   * Removes one that is lost, and makes one that is missing. In turns: under load there are never
   * enough spare ones, and what is lost must go nevertheless.
   *
   * @returns whether there may be more to do.
   */
  async step(): Promise<boolean> {
    const { count, stacks, cli } = this.settings;
    const removed = await this.removeOneLost().catch(() => false);
    if ((await stacks.countSpare()) >= count) return removed;
    await stacks.addSpare((name) => cli.make(name, { background: true }));
    return true;
  }

  /** One that cannot be removed is tried again after the others. */
  private async removeOneLost(): Promise<boolean> {
    if (this.lost.length === 0) await this.lookForLost();
    const name = this.lost.shift();
    if (name === undefined) return false;
    const { stacks, cli } = this.settings;
    await cli.remove(name);
    await stacks.forget(name);
    return true;
  }

  private async lookForLost(): Promise<void> {
    if (performance.now() - this.looked < BETWEEN_LOOKS) return;
    const { stacks } = this.settings;
    const free = await stacks.suspects();
    const dead = free.filter((instance) => this.suspects.has(instance));
    this.suspects = new Set(free);
    this.looked = performance.now();
    // A CLI that is still making a stack would make it after it was removed.
    if (dead.length > 0) endOrphans();
    this.lost = await stacks.takeLost(dead);
  }
}
