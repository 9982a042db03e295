import type { Bar } from "../measure/phases";
import type { Machine } from "../context/machine";
import { holds, missed, type Figure, type Unmeasured, type Side } from "../context/row";

/** The result of one run of the bench. */
export interface Report {
  /** When it began, in ISO 8601. */
  readonly date: string;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly results: readonly (Figure | Unmeasured)[];
  readonly bars: readonly Bar[];
}

/** The report as one object, for a program. */
export function asJson({ date, quick, machine, results, bars }: Report): object {
  return {
    date,
    quick,
    machine,
    rows: results.map((result) => {
      const { name, what, kind, must, limit, unit } = result.row;
      return {
        ...{ name, what, kind, unit },
        figure: "problem" in result ? null : result.value,
        target: limit,
        must,
        holds: holds(result),
        ...("problem" in result ? { problem: result.problem } : { sides: result.sides }),
      };
    }),
    missed: missed(results),
    phases: bars,
  };
}

/** The report as Markdown, for a person. */
export function asMarkdown(report: Report): string {
  const machine = Object.entries(report.machine).map(([name, value]) => [name, value]);
  return [
    table(["what", "figure", "must be", "holds", "measured"], report.results.map(rowOf)),
    ...report.bars.map(barTable),
    table(["machine", ""], machine),
  ].join("\n\n");
}

/** The last line of the report: which targets were missed. */
export function verdict({ results }: Report): string {
  const names = missed(results);
  const count = results.filter(({ row }) => row.kind === "target").length;
  return names.length === 0
    ? `All ${count} targets hold.`
    : `${names.length} of ${count} targets missed: ${names.join(", ")}.`;
}

function rowOf(result: Figure | Unmeasured): string[] {
  const { what, kind, must, limit, unit } = result.row;
  const wanted = `${kind === "goal" ? "next goal: " : ""}${must} ${limit} ${unit}`;
  if ("problem" in result) return [what, "none", wanted, "no", result.problem];
  const sides = Object.entries(result.sides).map(([name, side]) => `${name} ${inWords(side)}`);
  return [
    what,
    `${rounded(result.value)} ${unit}`,
    wanted,
    holds(result) ? "yes" : "no",
    sides.join("; "),
  ];
}

function inWords({ median, min, max, count, unit }: Side): string {
  const samples = count === 1 ? "" : ` (${rounded(min)} to ${rounded(max)}, ${count} times)`;
  return `${rounded(median)}${unit === "/s" ? "" : " "}${unit}${samples}`;
}

function barTable({ side, phases, total }: Bar): string {
  const rows = [...phases, { name: "all", time: total }].map(({ name, time }) => [
    name,
    rounded(time.median),
    `${rounded(time.min)} to ${rounded(time.max)}`,
  ]);
  return table([`phases: ${side}`, "ms, median", "from, to"], rows);
}

/** Rounds to three digits; more would claim a precision that the measurement does not have. */
function rounded(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

/** As Prettier writes it, so that it reads as a table without being rendered. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(3, ...all.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const padded = all.map((row) => line(widths.map((width, i) => (row[i] ?? "").padEnd(width))));
  return [padded[0], line(widths.map((width) => "-".repeat(width))), ...padded.slice(1)].join("\n");
}
