/**
 * Writes rows below each other, in columns of equal width with two spaces between; numbers end at the right.
 *
 * @param head The columns' titles.
 * @returns lines without a line break at the end.
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string[] {
  const lines = [head, ...rows];
  const widths = head.map((_, column) =>
    Math.max(...lines.map((line) => String(line[column] ?? "").length)),
  );
  const isNumber = head.map((_, column) => rows.every((row) => typeof row[column] === "number"));
  return lines.map((line) =>
    widths
      .map((width, column) => {
        const text = String(line[column] ?? "");
        return isNumber[column] ? text.padStart(width) : text.padEnd(width);
      })
      .join("  ")
      .trimEnd(),
  );
}
