import type { Bar } from "../measure/phases";
import type { Ground } from "./context";
import { summarise, type Summary } from "../measure/samples";

/** One line of the bench: what is measured, and what it must be. */
export interface Row {
  readonly name: string;
  readonly what: string;
  /** A goal is what comes next: it is reported, and missing it is no failure. */
  readonly kind: "target" | "goal";
  readonly must: "at most" | "at least";
  readonly limit: number;
  readonly unit: "times" | "MB";
}

/** What a row came to. */
export interface Figure {
  readonly row: Row;
  readonly value: number;
  /** What it is made of: each side's samples, in the unit named. */
  readonly sides: Readonly<Record<string, Side>>;
}

/** The samples of one side of a row. */
export interface Side extends Summary {
  readonly unit: "ms" | "s" | "MB" | "/s";
}

/** Why a row has no figure. */
export interface Gap {
  readonly row: Row;
  readonly fault: string;
}

/** Rows that are measured together, in one file of rows/. */
export interface Group {
  readonly name: string;
  readonly rows: readonly Row[];
  /** Whether `--quick` leaves it out. */
  readonly slow?: boolean;
  /** @throws when something fails that must not: all rows of the group are then missed. */
  measure(ground: Ground): Promise<Measured>;
}

/** What a group's measuring gives. */
export interface Measured {
  readonly results: readonly (Figure | Gap)[];
  /** Where the time went. */
  readonly bars?: readonly Bar[];
}

/** Sums up the samples of one side. */
export function side(samples: readonly number[], unit: Side["unit"] = "ms"): Side {
  return { ...summarise(samples), unit };
}

/** The first side's median against the second's. */
export function ratio(row: Row, sides: readonly [[string, Side], [string, Side]]): Figure {
  const [[, first], [, second]] = sides;
  return { row, value: first.median / second.median, sides: Object.fromEntries(sides) };
}

/** Whether the row is as it must be. A row that could not be measured is not. */
export function holds(result: Figure | Gap): boolean {
  if ("fault" in result) return false;
  const { row, value } = result;
  return row.must === "at most" ? value <= row.limit : value >= row.limit;
}

/** The names of the targets that were missed. */
export function missed(results: readonly (Figure | Gap)[]): string[] {
  return results
    .filter((result) => result.row.kind === "target" && !holds(result))
    .map(({ row }) => row.name);
}
