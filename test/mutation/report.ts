import { describeMutant } from "./mutant";
import type { Verdict } from "./judge";

/** How many of a hundred were killed; 100 where none was tried. */
export function scoreOf(verdicts: readonly Verdict[]): number {
  const killed = verdicts.filter(({ fate }) => fate === "killed").length;
  return verdicts.length === 0 ? 100 : (100 * killed) / verdicts.length;
}

/** The report: those that no test noticed, then a table by folder. */
export function reportOf(verdicts: readonly Verdict[]): string {
  const alive = verdicts
    .filter(({ fate }) => fate !== "killed")
    .toSorted((one, other) => (one.mutant.file < other.mutant.file ? -1 : 1))
    .map(
      ({ mutant, fate }) =>
        `  ${describeMutant(mutant)}${fate === "unreached" ? "\n      (no test gets there)" : ""}`,
    );
  const folders = [...new Set(verdicts.map(folderOf))].sort();
  const rows = folders.map((folder) =>
    rowOf(
      folder,
      verdicts.filter((verdict) => folderOf(verdict) === folder),
    ),
  );
  return [
    ...(alive.length === 0 ? [] : ["No test noticed:", ...alive, ""]),
    rowText("folder", "killed", "survived", "unreached", "score"),
    ...rows,
    rowOf("all", verdicts),
  ].join("\n");
}

function folderOf({ mutant: { file } }: Verdict): string {
  return file.split("/").slice(0, -1).slice(0, 2).join("/");
}

function rowOf(name: string, verdicts: readonly Verdict[]): string {
  const count = (wanted: Verdict["fate"]) =>
    String(verdicts.filter(({ fate }) => fate === wanted).length);
  const score = `${scoreOf(verdicts).toFixed(1)} %`;
  return rowText(name, count("killed"), count("survived"), count("unreached"), score);
}

function rowText(name: string, ...cells: readonly string[]): string {
  return name.padEnd(24) + cells.map((cell) => cell.padStart(11)).join("");
}
