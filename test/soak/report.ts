import type { Check } from "./check";
import type { Ledger } from "./ledger";
import type { Troubles } from "./troublemaker";

/** What a soak has to tell at its end. */
export interface Result {
  readonly ledger: Ledger;
  readonly troubles: Troubles;
  readonly checks: readonly Check[];
  /** Anything else, by its name: how long settling took, and such. */
  readonly notes: readonly (readonly [string, string])[];
  /** The command that plans the same again. */
  readonly again: string;
}

/** How many faults of a check are shown. */
const SHOWN = 5;

/** Whether every check holds. */
export function holds({ checks }: Pick<Result, "checks">): boolean {
  return checks.every(({ faults }) => faults.length === 0);
}

/** The table, and below it what failed. */
export function tableOf(result: Result): string {
  const { ledger, troubles, checks, notes, again } = result;
  const missed = [...troubles.missed].map(
    ([name, count]) => [`${name}: none met`, String(count)] as const,
  );
  return [
    ...section("asked", countsOf(ledger.kinds)),
    ...section("answered", countsOf(ledger.outcomes)),
    ...section("answered to each verb", countsOf(ledger.outcomesOfVerbs)),
    ...section("done to it", [...countsOf(troubles.done), ...missed]),
    ...section("seen", notes),
    ...section("checked", checks.map(rowOf)),
    ...failures(checks),
    holds(result) ? "All checks hold." : "A check FAILED.",
    `Once more: ${again}`,
  ].join("\n");
}

function countsOf(counts: ReadonlyMap<string, number>): [string, string][] {
  return [...counts]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([name, count]) => [name, String(count)]);
}

function rowOf({ what, looked, faults }: Check): readonly [string, string] {
  if (faults.length > 0) return [what, `FAILED ${faults.length} of ${looked}`];
  return [what, looked === 0 ? "none" : `${looked} ok`];
}

function section(title: string, rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length), 48);
  return [title, ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`), ""];
}

function failures(checks: readonly Check[]): string[] {
  return checks
    .filter(({ faults }) => faults.length > 0)
    .flatMap(({ what, faults }) => [
      `FAILED: ${what}`,
      ...faults.slice(0, SHOWN).map((fault) => `  ${fault}`),
      ...(faults.length > SHOWN ? [`  and ${faults.length - SHOWN} more`] : []),
      "",
    ]);
}
