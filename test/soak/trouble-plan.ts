import type { Random } from "./random";

/** What can be done to the service, its database, its state and the ways to them. */
export const troubles = [
  "kill an instance",
  "stop an instance",
  "kill a CLI",
  "kill a program host",
  "kill a dynamic provider",
  "kill a postgresql plugin",
  "kill a dbmate",
  "end a backend",
  "stop the database",
  "crash the database",
  "silence the connections of an instance",
  "reset the connections of an instance",
  "pause an instance",
  "pause an instance that loses its sessions",
  "pause a CLI",
  "take the state backend away",
] as const;

/** The name of a trouble. */
export type TroubleName = (typeof troubles)[number];

/** One trouble, with the numbers that it may need. */
export interface Trouble {
  readonly does: TroubleName;
  /** How long everything is left alone before it, in ms. */
  readonly pause: number;
  readonly instance: number;
  /** How long what was ended stays away, in ms. What others must notice lasts longer by a fixed time. */
  readonly away: number;
  /** Which of those that could be met: modulo their number. */
  readonly which: number;
}

/** Troubles without end, of the kinds that were chosen. Each comes once before one comes twice. */
export function* troublePlan(
  random: Random,
  chosen: readonly TroubleName[] = troubles,
): Generator<Trouble, never> {
  for (;;) {
    for (const does of random.shuffle(chosen)) {
      yield {
        does,
        pause: random.integer(800, 4_500),
        instance: random.integer(0, 1),
        away: random.integer(0, 2_500),
        which: random.integer(0, 1_000),
      };
    }
  }
}
