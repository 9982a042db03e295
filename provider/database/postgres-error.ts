/**
 * DETAIL and HINT of the error that dbmate ended with. dbmate prints the error's message alone. Its driver, lib/pq,
 * prints with PQGO_DEBUG=1 each message of the protocol, and so the error with all its fields:
 * https://github.com/lib/pq/blob/v1.12.3/README.md#protocol-debug-output
 *
 * @param output The end of what dbmate wrote. It may hold a password and the rows of tables: nothing of it is
 *   handed on but these two fields.
 * @param message What dbmate says of the error, by which it is known to be the same.
 * @returns such as `. DETAIL: Key (code)=(a) is duplicated`; `""` where PostgreSQL said no more.
 */
export function detailOf(output: string, message: string): string {
  const fields = fieldsOf(output, message);
  return (["D", "H"] as const)
    .flatMap((code) => {
      const words = fields.get(code)?.replace(/\.$/, "");
      return words === undefined ? [] : [`. ${titles[code]}: ${words}`];
    })
    .join("")
    .replaceAll(/\s+/g, " ")
    .slice(0, LONGEST_CHARACTERS);
}

/** The SQLSTATE of that error; undefined where it is not PostgreSQL's. Takes what {@link detailOf} does. */
export function sqlstateOf(output: string, message: string): string | undefined {
  return fieldsOf(output, message).get("C");
}

/** All fields of the error, by their codes; none where the last one that was printed is another. */
function fieldsOf(output: string, message: string): ReadonlyMap<string, string> {
  const [, quoted = ""] = [...output.matchAll(errorResponse)].at(-1) ?? [];
  const fields = new Map(
    unquote(quoted)
      .split("\0")
      .map((field) => [field.slice(0, 1), field.slice(1)]),
  );
  const [words] = fields.get("M")?.split("\n") ?? [];
  return words !== undefined && message.includes(words) ? fields : new Map<string, string>();
}

/** The fields' codes: https://www.postgresql.org/docs/current/protocol-error-fields.html */
const titles = { D: "DETAIL", H: "HINT" } as const;

const LONGEST_CHARACTERS = 1_000;

const errorResponse = /^SERVER \S+ \(E\) ErrorResponse +\d+ {2}"(.*)"$/gm;

/** Reads a string as Go's `%q` writes it: https://pkg.go.dev/strconv#Quote */
function unquote(text: string): string {
  return text.replaceAll(/\\(?:x..|u.{4}|U.{8}|.)/g, (escape) => {
    const [, letter = "", hex = ""] = /^\\(.)(.*)$/.exec(escape) ?? [];
    if (hex === "") return letters[letter] ?? letter;
    return String.fromCodePoint(parseInt(hex, 16));
  });
}

const letters: Partial<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };
