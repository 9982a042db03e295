import type { Logger } from "pino";
import { BETWEEN_LOOKS_MS, Suspects } from "../cluster/two-looks";
import { lastWords } from "./events";
import { endOrphans } from "../system/processes";
import { Backoff } from "./backoff";
import type { StackCli } from "./stack-cli";
import type { Stacks } from "./stacks/stacks";

/** What the upkeep of spare stacks needs. */
export interface UpkeepSettings {
  /** How many spare stacks there are to be. */
  readonly count: number;
  readonly stacks: Stacks;
  readonly cli: StackCli;
  readonly log: Logger;
}

/**
 * How many names are tried, in turn, while no stack can be made. More than one, because a CLI that was killed
 * may have made or locked the stack of a name, and no stack of that name can be made before that is removed.
 */
const NAMES_TRIED = 3;

/** Keeps enough spare stacks, and removes those that dead instances were making or had prestarted. */
export class StackUpkeep {
  private readonly suspects = new Suspects();
  private looked = -Infinity;
  private lost: string[] = [];
  private readonly makes = new Backoff();
  private readonly removals = new Backoff();
  /** The names for which no stack could be made since the last success. */
  private unmade: string[] = [];

  constructor(private readonly settings: UpkeepSettings) {}

  /**
   * Removes one lost stack and makes one that is missing. Both at each call: under load spare stacks are always
   * missing, and lost ones would never be removed if making came first.
   *
   * @returns whether there may be more to do.
   */
  async step(): Promise<boolean> {
    const { count, stacks } = this.settings;
    const removed = await this.removeOneLost().catch(() => false);
    if (!this.makes.isDue || (await stacks.countSpare()) >= count) return removed;
    await this.addOneSpare();
    return true;
  }

  /** Makes one spare stack. While the backend is away, a few names are tried again and again: each new name would leave a row behind. */
  private async addOneSpare(): Promise<void> {
    const again = this.unmade.length < NAMES_TRIED ? undefined : this.unmade.shift();
    // The name is about to be used, so it must not be removed as lost.
    this.lost = this.lost.filter((name) => name !== again);
    await this.settings.stacks.addSpare((name) => this.make(name), again);
  }

  private async make(name: string): Promise<string> {
    const { cli, log } = this.settings;
    try {
      const settings = await cli.make(name, { background: true });
      // The rows of the names that could not be made are `removing`, and are removed with the lost ones.
      this.unmade = [];
      if (this.makes.succeeded()) log.info("stacks can be made in the state backend again");
      return settings;
    } catch (error) {
      this.unmade.push(name);
      const begins = this.makes.failed();
      // An AbortError comes from the service itself, which kills its CLIs when it must end quickly.
      if (begins && !(error instanceof Error && error.name === "AbortError")) {
        log.warn(
          `no spare stacks can be made in the state backend, which is tried again: ${lastWords(error)}`,
        );
      }
      throw error;
    }
  }

  /** Removes one lost stack. One that cannot be removed is tried again after the others. @throws Error of the CLI; DatabaseDownError */
  private async removeOneLost(): Promise<boolean> {
    if (this.lost.length === 0) await this.lookForLost();
    const name = this.lost.shift();
    if (name === undefined) return false;
    const { stacks, cli } = this.settings;
    try {
      await cli.remove(name, stacks.withOther);
    } catch (error) {
      // The pause begins only when all of the others were tried.
      if (this.lost.length === 0) this.removals.failed();
      throw error;
    }
    this.removals.succeeded();
    await stacks.forget(name);
    return true;
  }

  private async lookForLost(): Promise<void> {
    if (performance.now() - this.looked < BETWEEN_LOOKS_MS || !this.removals.isDue) return;
    const { stacks } = this.settings;
    const free = await stacks.suspects();
    const dead = this.suspects.confirmed(free);
    this.suspects.note(free);
    this.looked = performance.now();
    // A dead instance's CLI may still be making a stack, and would finish it after its removal.
    if (dead.length > 0) endOrphans();
    this.lost = await stacks.takeLost(dead);
  }
}
