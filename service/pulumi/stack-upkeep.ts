import type { Logger } from "pino";
import { BETWEEN_LOOKS_MS, Suspects } from "../cluster/two-looks";
import { lastWords } from "./events";
import { endOrphans } from "../system/processes";
import { Backoff } from "./backoff";
import type { StackCli } from "./stack-cli";
import type { Stacks } from "./stacks";

/** What spare stacks are kept with. */
export interface UpkeepSettings {
  /** How many spare stacks there are to be. */
  readonly count: number;
  readonly stacks: Stacks;
  readonly cli: StackCli;
  readonly log: Logger;
}

/**
 * How many names are tried, in turns, while none can be made. Not one alone: a CLI that was killed may
 * have made its stack, or locked it, and that name cannot be made again before it is removed.
 */
const NAMES_TRIED = 3;

/** Keeps spare stacks, and removes those that dead instances left in the making, or prestarted. */
export class StackUpkeep {
  private readonly suspects = new Suspects();
  private looked = -Infinity;
  private lost: string[] = [];
  private readonly makes = new Backoff();
  private readonly removals = new Backoff();
  /** The names that could not be made since one was. */
  private unmade: string[] = [];

  constructor(private readonly settings: UpkeepSettings) {}

  /**
   * Removes one that is lost, and makes one that is missing. In turns: under load there are never
   * enough spare ones, and what is lost must go nevertheless.
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

  /** While the backend is away, the rows of a few names are used again: each other one would stay. */
  private async addOneSpare(): Promise<void> {
    const again = this.unmade.length < NAMES_TRIED ? undefined : this.unmade.shift();
    // One that is made now is not to be removed.
    this.lost = this.lost.filter((name) => name !== again);
    await this.settings.stacks.addSpare((name) => this.make(name), again);
  }

  private async make(name: string): Promise<string> {
    const { cli, log } = this.settings;
    try {
      const settings = await cli.make(name, { background: true });
      // Those that could not be made are removed like all that is lost.
      this.unmade = [];
      if (this.makes.succeeded()) log.info("stacks can be made in the state backend again");
      return settings;
    } catch (error) {
      this.unmade.push(name);
      const begins = this.makes.failed();
      // A service that goes down in a hurry ends its CLIs.
      if (begins && !(error instanceof Error && error.name === "AbortError")) {
        log.warn(
          `no spare stacks can be made in the state backend, which is tried again: ${lastWords(error)}`,
        );
      }
      throw error;
    }
  }

  /** One that cannot be removed is tried again after the others. */
  private async removeOneLost(): Promise<boolean> {
    if (this.lost.length === 0) await this.lookForLost();
    const name = this.lost.shift();
    if (name === undefined) return false;
    const { stacks, cli } = this.settings;
    try {
      await cli.remove(name);
    } catch (error) {
      // The rest of what is lost is tried first.
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
    // A CLI that is still making a stack would make it after it was removed.
    if (dead.length > 0) endOrphans();
    this.lost = await stacks.takeLost(dead);
  }
}
