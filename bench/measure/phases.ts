import { summarise, type Summary } from "./samples";

/** How long each phase of a set-up took on one side, in the order in which they come. */
export interface Bar {
  readonly side: string;
  readonly phases: readonly Phase[];
  /** From the start of the first phase to the end of the last, in ms. */
  readonly total: Summary;
}

/** One phase of a set-up. */
interface Phase {
  readonly name: string;
  /** How long it took, in ms. */
  readonly time: Summary;
}

/** When each phase of one run ended, in ms of any clock. The first entry is when the first phase began. */
export type Marks = readonly (readonly [name: string, at: number])[];

/** How long a run took, in ms. */
export function durationOf(marks: Marks): number {
  return (marks.at(-1)?.[1] ?? NaN) - (marks[0]?.[1] ?? NaN);
}

/**
 * Summarises runs that have the same phases.
 *
 * @throws Error when there is no run, or the runs differ in their phases.
 */
export function barOf(side: string, runs: readonly Marks[]): Bar {
  const [first = []] = runs;
  const names = first.slice(1).map(([name]) => name);
  const lengths = runs.map((marks) =>
    names.map((name, i) => {
      const [begin, end] = [marks[i], marks[i + 1]];
      if (begin === undefined || end?.[0] !== name)
        throw new Error(`a run of ${side} lacks ${name}`);
      return end[1] - begin[1];
    }),
  );
  return {
    side,
    phases: names.map((name, i) => ({ name, time: summarise(lengths.map((run) => run[i] ?? 0)) })),
    total: summarise(runs.map(durationOf)),
  };
}
