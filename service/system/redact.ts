/** Replaces every secret in a text by `[redacted]`. */
export type Redact = (text: string) => string;

/**
 * Shorter secrets are not looked for by their text: every word of the log that contains one would be lost. A
 * short password in a URL is still redacted, by the URL's form.
 */
const SHORTEST_CHARACTERS = 6;

/**
 * Makes a redactor. It finds the given secrets by their text, and others by their form: credentials in a
 * URL, argon2 hashes and JSON Web Tokens.
 *
 * It works on lines of JSON too: it also finds secrets as JSON escapes them, and `[redacted]` needs no escape.
 *
 * Its time grows with the length of the text, whatever the text is: a caller, or a migration's error, can have
 * a long line logged. So no expression may begin anew within what it has read in vain.
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
      .replace(/:\/\/[^\s/@"\\]+@/g, "://[redacted]@")
      .replace(/\$argon2(id|i|d)\$[\w$=,+/]+/g, "[redacted]")
      // What only begins like a token is taken as a whole too, and put back.
      .replace(/\beyJ[\w-]+(\.[\w-]+\.[\w-]*)?/g, (found, rest) => (rest ? "[redacted]" : found));
}
