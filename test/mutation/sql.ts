import ts from "typescript";
import type { Change } from "./mutant";

/**
 * What may go wrong in a statement, as a pattern and what stands there instead. Only such changes as
 * PostgreSQL still understands: a statement that it refuses fails wherever it is run.
 */
const faults: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/\band\b/g, "or"],
  [/(?<!create )\bor\b/g, "and"],
  // The one of `on conflict` names an index.
  [/(?<!on conflict \([^)]*\) )\bwhere\b/g, "where true or"],
  [/\bis not null\b/g, "is null"],
  [/\bis null\b/g, "is not null"],
  [/\bis not distinct from\b/g, "is distinct from"],
  [/\bis distinct from\b/g, "is not distinct from"],
  [/\bnot exists\b/g, "exists"],
  [/(?<!not |if )\bexists\b/g, "not exists"],
  [/(?<= )<>(?= )/g, "="],
  [/(?<= )<(?= )/g, ">"],
  [/(?<= )>(?= )/g, "<"],
  [/\bnot in \(/g, "in ("],
  [/(?<!not )\bin \(/g, "not in ("],
  [/ for (?:no key )?(?:update|share)(?: of \w+)?(?: skip locked| nowait)?/g, ""],
  [/ skip locked/g, ""],
  [/ on conflict (?:\([^)]*\) )?do nothing/g, ""],
  [/\bdesc\b/g, "asc"],
  [/\basc\b/g, "desc"],
  [/\bdistinct (?!from\b|on\b)/g, ""],
  [/\bleft join\b/g, "join"],
  [/ \+ 1\b/g, ""],
  [/\bnow\(\) - /g, "now() + "],
  [/\bnow\(\) \+ /g, "now() - "],
  // A word of a list: each but the first, and the first.
  [/(?<=\bin \((?:'\w+', )*'\w+'), '\w+'(?=[,)])/g, ""],
  [/(?<=\bin \()'\w+', /g, ""],
];

/** An equals sign that compares: one in a list of assignments has `set` as its nearest clause. */
const comparison = /(?<= )=(?= )/g;
const clauses = /\b(set|where|on|and|or|when|having|if|returning|select|join|case|then)\b/g;

/** How a whole statement, or a part that is put into one, is told from a message for people. */
const statement =
  /^\s*(?:select\b.+(?:from|pg_|set_config)|insert into|update\b.+\bset\b|delete from|with\b.+\bas\b|alter |create |drop |grant .+ to|revoke .+ from|set (?:local|role|session|search_path)|lock table)/s;
const part =
  /\$\d|\bis (?:not )?null\b|\b(?:where|and|or|when) (?:not )?(?:exists \(|"?\w+"?\.\w+ |\w+ (?:=|<>|in|<|>) )|^\w+(?:\.\w+)? (?:=|<>|in) [$'(]/;

/** Whether a text is SQL. */
export function isSql(text: string): boolean {
  return statement.test(text) || part.test(text);
}

/** Every change that the SQL in a file's strings may suffer. */
export function sqlChanges(source: ts.SourceFile): Change[] {
  const found: Change[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)) {
      if (!ts.isImportDeclaration(node.parent)) found.push(...changesIn(node, source));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function changesIn(node: ts.Node, source: ts.SourceFile): Change[] {
  const begin = node.getStart(source) + 1;
  const text = withoutExpressions(node, source).slice(1, -1);
  if (!isSql(text)) return [];
  const change = (at: number, length: number, replacement: string): Change => ({
    mutator: "SQL",
    start: begin + at,
    end: begin + at + length,
    replacement,
  });
  return [
    ...faults.flatMap(([pattern, replacement]) =>
      [...text.matchAll(pattern)].map(({ index, 0: words }) =>
        change(index, words.length, replacement),
      ),
    ),
    ...[...text.matchAll(comparison)]
      .filter(({ index }) => [...text.slice(0, index).matchAll(clauses)].at(-1)?.[1] !== "set")
      .map(({ index }) => change(index, 1, "<>")),
  ];
}

/** The literal's text, where what stands in `${}` is replaced by as many digits: code, not SQL. */
function withoutExpressions(node: ts.Node, source: ts.SourceFile): string {
  const text = node.getText(source);
  if (!ts.isTemplateExpression(node)) return text;
  let masked = text;
  for (const { expression } of node.templateSpans) {
    const from = expression.getStart(source) - node.getStart(source) - 2;
    const length = expression.getEnd() - expression.getStart(source) + 3;
    masked = masked.slice(0, from) + "0".repeat(length) + masked.slice(from + length);
  }
  return masked;
}
