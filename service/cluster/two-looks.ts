import { setTimeout as delay } from "node:timers/promises";

/**
 * How long after the first look the second is, in ms. A session that is lost is made again, and takes its
 * locks, in less: so who seems dead once may live, and who seems dead on both looks is dead.
 */
export const BETWEEN_LOOKS_MS = 1_500;

/** Who seemed dead at the last look. Looks are at least {@link BETWEEN_LOOKS_MS} apart. */
export class Suspects {
  private names: ReadonlySet<string> = new Set();

  /** Of those who seem dead now, the ones who did so at the last look too. */
  confirmed(names: readonly string[]): string[] {
    return names.filter((name) => this.names.has(name));
  }

  /** Ends a look: these are who seemed dead at it. */
  note(names: readonly string[]): void {
    this.names = new Set(names);
  }
}

/** Whether something is so on two looks. */
export async function isSoTwice(look: () => Promise<boolean>): Promise<boolean> {
  if (!(await look())) return false;
  await delay(BETWEEN_LOOKS_MS);
  return look();
}
