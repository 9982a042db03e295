/** What the archive says of itself. It is the last entry: it has the digests of all others. */
export const MANIFEST = "manifest.json";

/**
 * The path of a table's rows in an archive. A table's name may have any character, of which a path can hold few:
 * all but letters, digits, `_` and `-` are written as their bytes, `%2F` for `/`.
 */
export function entryOf(table: string): string {
  const name = encodeURIComponent(table).replaceAll(
    /[.!~*'()]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `data/${name}.csv`;
}
