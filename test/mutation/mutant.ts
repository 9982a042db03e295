/** One change of a source file, by offsets in its text. */
export interface Change {
  /** What kind of change, such as `ConditionalExpression` or `SQL`. */
  readonly mutator: string;
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
}

/** A change of one file, to be tried. */
export interface Mutant extends Change {
  /** The path in the checkout. */
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly original: string;
  /** The same for the same change of the same line, wherever in the file the line stands. */
  readonly key: string;
}

/** The file's text with the change in it. */
export function applied(text: string, { start, end, replacement }: Change): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

/** How a mutant is told to a person, in two lines. */
export function describeMutant({ file, line, mutator, original, replacement }: Mutant): string {
  return `${file}:${line} ${mutator}\n      - ${short(original)}\n      + ${short(replacement)}`;
}

function short(text: string): string {
  const oneLine = text.replaceAll(/\s+/g, " ").trim();
  return oneLine.length > 110 ? `${oneLine.slice(0, 100)} … ${oneLine.slice(-8)}` : oneLine;
}
