import { setTimeout as delay } from "node:timers/promises";

/**
 * The time between the two looks. A living instance whose session was lost has a new one, and its locks, in
 * less time. So one whose lock is free at one look may be alive, and one whose lock is free at both is dead.
 */
export const BETWEEN_LOOKS_MS = 1_500;

/** Remembers who seemed dead at the last look. Looks must be at least {@link BETWEEN_LOOKS_MS} apart. */
export class Suspects {
  private names: ReadonlySet<string> = new Set();

  /** Those of the given names, who seem dead now, that seemed dead at the last look too. */
  confirmed(names: readonly string[]): string[] {
    return names.filter((name) => this.names.has(name));
  }

  /** Ends a look: remembers who seemed dead at it. */
  note(names: readonly string[]): void {
    this.names = new Set(names);
  }
}

/** Whether `look` gives true twice, {@link BETWEEN_LOOKS_MS} apart. @throws what `look` throws. */
export async function isSoTwice(look: () => Promise<boolean>): Promise<boolean> {
  if (!(await look())) return false;
  await delay(BETWEEN_LOOKS_MS);
  return look();
}
