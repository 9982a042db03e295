import { UNKNOWN, type Value } from "./properties";

/**
 * Reads a value of the provider's configuration, which Pulumi sends as a string: numbers and booleans as
 * JSON. The result is `undefined` for a value that is not set, or not known yet.
 *
 * @throws SyntaxError with the message of Go's JSON decoder, which the official plugin prints.
 */
export function decoded(value: Value | undefined): Value | undefined {
  if (value === undefined || value === "" || value === UNKNOWN) return undefined;
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value) as Value;
  } catch {
    throw new SyntaxError(goComplaint(value.trim()));
  }
}

/** What Go's `encoding/json` says of a text that is no number, boolean or null. */
function goComplaint(text: string): string {
  const literal = ["null", "true", "false"].find(
    (known) => text !== "" && known.startsWith(text.charAt(0)),
  );
  const good = literal === undefined ? numberPrefix(text) : commonPrefix(text, literal);
  const found = text[good];
  if (found === undefined) return "unexpected end of JSON input";
  const expected = literal?.[good];
  if (literal !== undefined && expected !== undefined) {
    return `invalid character '${found}' in literal ${literal} (expecting '${expected}')`;
  }
  const where = good === 0 ? "looking for beginning of value" : "after top-level value";
  return `invalid character '${found}' ${where}`;
}

function numberPrefix(text: string): number {
  return /^-?\d*(\.\d+)?/.exec(text)?.[0].length ?? 0;
}

function commonPrefix(text: string, literal: string): number {
  let length = 0;
  while (length < literal.length && text[length] === literal[length]) length++;
  return length;
}
