import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { asMarkdown, verdict, type Report } from "./report";
import { pictureOf } from "./svg";

const home = path.resolve(__dirname, "../../../bench");
const BEGIN = "<!-- figures: npm run bench -- --write -->";
const END = "<!-- end of figures -->";

/**
 * Writes the figures into bench/README.md, between its two marks, and the picture beside it.
 *
 * @throws Error when the marks are missing.
 */
export function writeReport(report: Report): void {
  const file = path.join(home, "README.md");
  const [before, , after] = parts(readFileSync(file, "utf8"));
  const figures = `Measured on ${report.date.slice(0, 10)}. ${verdict(report)}\n\n${asMarkdown(report)}`;
  writeFileSync(file, `${before}${BEGIN}\n\n${figures}\n\n${END}${after}`);
  writeFileSync(path.join(home, "phases.svg"), pictureOf(report.bars));
}

function parts(text: string): [string, string, string] {
  const [before, rest] = text.split(BEGIN);
  const [figures, after] = rest?.split(END) ?? [];
  if (before === undefined || figures === undefined || after === undefined) {
    throw new Error(`bench/README.md lacks its marks ${BEGIN} and ${END}`);
  }
  return [before, figures, after];
}
