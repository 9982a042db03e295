import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";
import { isExcluded } from "./exclusions";
import type { Change, Mutant } from "./mutant";
import { sqlChanges } from "./sql";

/** Every mutant of these files that is worth a try: Stryker's, and those of the SQL in their strings. */
export async function mutantsOf(checkout: string, files: readonly string[]): Promise<Mutant[]> {
  const mutants: Mutant[] = [];
  for (const file of files) {
    const text = readFileSync(path.join(checkout, file), "utf8");
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
    const changes = [...(await strykerChanges(file, source)), ...sqlChanges(source)];
    const seen = new Map<string, number>();
    for (const change of changes.filter((one) => !isExcluded(one, source))) {
      mutants.push(mutantOf(file, source, change, seen));
    }
  }
  return mutants;
}

/** So many of the mutants. A change of one line changes the choice only where it had a part in it. */
export function inOrderOf(seed: number, mutants: readonly Mutant[]): Mutant[] {
  const place = new Map(mutants.map((one) => [one, digest(`${seed} ${one.key}`)]));
  const at = (mutant: Mutant) => place.get(mutant) ?? "";
  return mutants.toSorted((one, other) => (at(one) < at(other) ? -1 : 1));
}

const silent = {
  ...{ isTraceEnabled: () => false, isDebugEnabled: () => false, isInfoEnabled: () => false },
  ...{ isWarnEnabled: () => false, isErrorEnabled: () => false, isFatalEnabled: () => false },
  ...{ trace: () => undefined, debug: () => undefined, info: () => undefined },
  ...{ warn: () => undefined, error: () => undefined, fatal: () => undefined },
};

async function strykerChanges(file: string, source: ts.SourceFile): Promise<Change[]> {
  const { Instrumenter } = await import("@stryker-mutator/instrumenter");
  const { mutants } = await new Instrumenter(silent).instrument(
    [{ name: file, mutate: true, content: source.text }],
    { excludedMutations: [], ignorers: [], plugins: null },
  );
  return mutants.map(({ mutatorName, location, replacement }) => {
    const [start, end] = [location.start, location.end].map(({ line, column }) =>
      source.getPositionOfLineAndCharacter(line, column),
    ) as [number, number];
    return { mutator: mutatorName, start, end, replacement: asOneTerm(mutatorName, replacement) };
  });
}

/** Operators whose place in a longer term could make another term of it. */
const operators = new Set([
  ...["LogicalOperator", "EqualityOperator", "ArithmeticOperator", "ConditionalExpression"],
  ...["BooleanLiteral", "UnaryOperator"],
]);

function asOneTerm(mutator: string, replacement: string): string {
  // Of a switch, a conditional mutant is an emptied case.
  const isTerm = operators.has(mutator) && !/^(?:case\b|default\b|$)/.test(replacement);
  return isTerm ? `(${replacement})` : replacement;
}

function mutantOf(
  file: string,
  source: ts.SourceFile,
  change: Change,
  seen: Map<string, number>,
): Mutant {
  const line = source.getLineAndCharacterOfPosition(change.start).line;
  const original = source.text.slice(change.start, change.end);
  const lineText = source.text.split("\n")[line]?.trim() ?? "";
  const what = JSON.stringify([file, lineText, change.mutator, original, change.replacement]);
  const times = (seen.get(what) ?? 0) + 1;
  seen.set(what, times);
  return { ...change, file, line: line + 1, original, key: digest(`${times} ${what}`) };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
