import type { RolloutProgress } from "./rollout/rollout";

/** How many characters the bar has. */
const WIDTH = 30;

/**
 * One line that says how far a rollout is.
 *
 * @param since What was settled when it was first looked, and the seconds since then: for the speed.
 * @param hasBar Whether a bar is drawn before it.
 */
export function progressLine(
  progress: RolloutProgress,
  since: { readonly settled: number; readonly seconds: number },
  hasBar: boolean,
): string {
  const { tenants, failed, gone, atWork } = progress;
  const settled = settledOf(progress);
  const perSecond = since.seconds > 0 ? (settled - since.settled) / since.seconds : 0;
  const secondsLeft = perSecond > 0 ? Math.ceil((tenants - settled) / perSecond) : undefined;
  const filled = Math.floor((WIDTH * settled) / Math.max(tenants, 1));
  return [
    ...(hasBar ? [`[${"#".repeat(filled)}${".".repeat(WIDTH - filled)}]`] : []),
    `${settled}/${tenants} tenants`,
    `${failed} failed`,
    ...(gone > 0 ? [`${gone} gone`] : []),
    `${atWork} at work`,
    `${perSecond.toFixed(1)}/s`,
    ...(secondsLeft === undefined ? [] : [`${secondsLeft} s left`]),
  ].join("  ");
}

/** How many tenants have come to an end, well or not. */
export function settledOf({ done, failed, gone }: RolloutProgress): number {
  return done + failed + gone;
}
