/** Puts `[redacted]` in the place of every secret in a text. */
export type Redact = (text: string) => string;

/** A shorter secret would blank out half of the log, and is in a URL where it matters. */
const SHORTEST_CHARACTERS = 6;

/**
 * A redactor that knows secrets by their form, wherever they come from (credentials in a URL, argon2
 * strings, JSON Web Tokens), and the given ones by their text.
 *
 * It works on lines of JSON as well: what it looks for it also finds escaped, and what it writes
 * needs no escape.
 */
export function redactor(secrets: readonly (string | undefined)[]): Redact {
  const texts = secrets
    .filter(
      (secret): secret is string => secret !== undefined && secret.length >= SHORTEST_CHARACTERS,
    )
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]);
  const known = [...new Set(texts)].sort((a, b) => b.length - a.length);
  return (text) =>
    known
      .reduce((line, secret) => line.replaceAll(secret, "[redacted]"), text)
      .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@"\\]+@/gi, "$1[redacted]@")
      .replace(/\$argon2(id|i|d)\$[\w$=,+/]+/g, "[redacted]")
      .replace(/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, "[redacted]");
}
