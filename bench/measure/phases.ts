import { summarise, type Summary } from "./samples";

/** Where the time of one side went: its phases, in the order in which they come. */
export interface Bar {
  readonly side: string;
  readonly phases: readonly Phase[];
  /** From the start of the first phase to the end of the last, in ms. */
  readonly total: Summary;
}

/** A part of the time. */
interface Phase {
  readonly name: string;
  /** In ms. */
  readonly time: Summary;
}

/** When each phase of one run ended, in ms of any clock; the first entry is the start of the first. */
export type Marks = readonly (readonly [name: string, at: number])[];

/** How long a run took, in ms. */
export function lengthOf(marks: Marks): number {
  return (marks.at(-1)?.[1] ?? NaN) - (marks[0]?.[1] ?? NaN);
}

/**
 * Sums up runs that have the same phases.
 *
 * @throws when there is no run, or they differ in their phases.
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
    total: summarise(runs.map(lengthOf)),
  };
}
