import { createHash } from "node:crypto";
import type { ClientBase } from "pg";
import { catalogLines } from "./fingerprint-sql";

/**
 * Describes what there is in a schema: its tables, columns, constraints, indexes, sequences, views, functions,
 * triggers, policies and types, an object or a part of one in each line, such as `column stops.name text not null`.
 * The name of the schema itself is in none of them. To be called in a transaction.
 *
 * @returns the lines in the order of their bytes; none for a schema that is empty, or not there.
 */
export async function describeSchema(client: ClientBase, schemaName: string): Promise<string[]> {
  return withoutSearchPath(client, async () => {
    const { rows } = await client.query<{ line: string }>(
      `select line from (${catalogLines}) described order by line collate "C"`,
      [[schemaName]],
    );
    return rows.map(({ line }) => line);
  });
}

/**
 * The fingerprints of schemas by their names, all by one statement. One that is empty, or not there, has none.
 * To be called in a transaction.
 */
export async function fingerprints(
  client: ClientBase,
  schemaNames: readonly string[],
): Promise<Map<string, string>> {
  return withoutSearchPath(client, async () => {
    const { rows } = await client.query<{ schema: string; fingerprint: string }>(
      `select schema, encode(sha256(convert_to(string_agg(line, E'\\n' order by line collate "C"), 'UTF8')), 'hex')
        as fingerprint
      from (${catalogLines}) described group by schema`,
      [schemaNames],
    );
    return new Map(rows.map(({ schema, fingerprint }) => [schema, fingerprint]));
  });
}

/** The fingerprint of a schema with these lines: SHA-256, in hex. */
export function fingerprintOf(lines: readonly string[]): string {
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}

/**
 * What differs between two schemas, for people: `missing` has the lines that only the first one has, `added` those
 * that only the second one has.
 */
export function compareLines(
  expected: readonly string[],
  found: readonly string[],
): { missing: string[]; added: string[] } {
  const [expectedLines, foundLines] = [new Set(expected), new Set(found)];
  return {
    missing: expected.filter((line) => !foundLines.has(line)),
    added: found.filter((line) => !expectedLines.has(line)),
  };
}

/** PostgreSQL leaves out the schema of a name that the search path finds, and so would one session and not another. */
async function withoutSearchPath<T>(client: ClientBase, work: () => Promise<T>): Promise<T> {
  const { rows } = await client.query<{ before: string }>(
    "select current_setting('search_path') as before, set_config('search_path', '', true)",
  );
  const result = await work();
  // Where the work fails, the transaction ends, and this with it.
  await client.query("select set_config('search_path', $1, true)", [rows[0]?.before]);
  return result;
}
