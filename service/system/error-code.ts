/** The `code` of an error, such as `ENOENT` of the operating system; undefined where it has none. */
export function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}
