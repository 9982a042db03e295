/** The code of an error of the system, such as `ENOENT`; undefined for any other. */
export function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}
