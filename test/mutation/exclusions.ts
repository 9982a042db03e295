import ts from "typescript";
import type { Change } from "./mutant";
import { isSql } from "./sql";

/** Why mutants of some kinds are never tried. Each reason holds for every mutant that its rule finds. */
const rules: readonly {
  readonly reason: string;
  readonly holds: (change: Change, node: ts.Node, source: ts.SourceFile) => boolean;
}[] = [
  {
    reason: "What the log says is for people: no test should fix its words.",
    holds: (_change, node, source) =>
      ancestors(node).some(
        (one) =>
          ts.isCallExpression(one) &&
          /\blog(?:ger)?\.(?:trace|debug|info|warn|error|fatal)$/.test(
            one.expression.getText(source),
          ),
      ),
  },
  {
    reason: "An emptied statement fails wherever it is run: sql.ts makes the faults that do not.",
    holds: ({ mutator }, node, source) =>
      mutator === "StringLiteral" && isSql(node.getText(source).slice(1, -1)),
  },
];

/** Whether a rule says why this mutant is not worth a try. */
export function isExcluded(change: Change, source: ts.SourceFile): boolean {
  const node = nodeAt(source, change);
  return rules.some(({ holds }) => holds(change, node, source));
}

/** The largest node that lies in the change; else the smallest around it. */
function nodeAt(source: ts.SourceFile, { start, end }: Change): ts.Node {
  let found: ts.Node = source;
  const visit = (node: ts.Node): void => {
    if (node.getStart(source) > start || node.getEnd() < end) return;
    found = node;
    if (node.getStart(source) === start && node.getEnd() === end) return;
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(source, visit);
  return found;
}

function ancestors(node: ts.Node): ts.Node[] {
  const found: ts.Node[] = [];
  for (let one = node; !ts.isSourceFile(one); one = one.parent) found.push(one);
  return found;
}
