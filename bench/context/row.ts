import type { Bar } from "../measure/phases";
import type { BenchContext } from "./context";
import { summarise, type Summary } from "../measure/samples";

/** One row of the report: what is measured, and the limit that it must keep. */
export interface Row {
  readonly name: string;
  readonly what: string;
  /** A target must hold. A goal is to be reached later: it is reported, and missing it is no failure. */
  readonly kind: "target" | "goal";
  readonly must: "at most" | "at least";
  readonly limit: number;
  readonly unit: "times" | "MB" | "ms";
}

/** What was measured for a row. */
export interface Figure {
  readonly row: Row;
  readonly value: number;
  /** The samples of each side, from which the value was computed. */
  readonly sides: Readonly<Record<string, Side>>;
}

/** The samples of one side of a row. */
export interface Side extends Summary {
  readonly unit: "ms" | "s" | "MB" | "/s";
}

/** A row without a figure, and why. */
export interface Unmeasured {
  readonly row: Row;
  readonly problem: string;
}

/** Rows that are measured together, in one file of rows/. */
export interface Group {
  readonly name: string;
  readonly rows: readonly Row[];
  /** Whether `--quick` leaves it out. */
  readonly slow?: boolean;
  /** @throws Error when something fails: then no row of the group has a figure. */
  measure(context: BenchContext): Promise<Measured>;
}

/** What a group measured. */
export interface Measured {
  readonly results: readonly (Figure | Unmeasured)[];
  /** How long each phase of a set-up took, for each side. */
  readonly bars?: readonly Bar[];
}

/** Sums up the samples of one side. */
export function side(samples: readonly number[], unit: Side["unit"] = "ms"): Side {
  return { ...summarise(samples), unit };
}

/** The figure of a row: the first side's median divided by the second's. */
export function ratio(row: Row, sides: readonly [[string, Side], [string, Side]]): Figure {
  const [[, first], [, second]] = sides;
  return { row, value: first.median / second.median, sides: Object.fromEntries(sides) };
}

/** Whether the row keeps its limit. One that could not be measured does not. */
export function holds(result: Figure | Unmeasured): boolean {
  if ("problem" in result) return false;
  const { row, value } = result;
  return row.must === "at most" ? value <= row.limit : value >= row.limit;
}

/** The names of the targets that were missed. */
export function missed(results: readonly (Figure | Unmeasured)[]): string[] {
  return results
    .filter((result) => result.row.kind === "target" && !holds(result))
    .map(({ row }) => row.name);
}
