import type { ClientBase } from "pg";
import { compareLines, describeSchema, fingerprintOf, fingerprints } from "../fingerprint";
import type { Facet } from "./facet";

/** What the tables of a schema are to be like. */
export interface WantedTables {
  readonly schemaName: string;
  /** The lines of the reference at its migrations. */
  readonly lines: readonly string[];
}

/** How many schemas a call describes line by line at most, each by a statement of its own. */
const DESCRIBED = 20;

/** How many of the lines that differ are named. */
const NAMED = 5;

/**
 * Compares the tables of many schemas with what their migrations make, by one statement, and one more for each
 * of the first schemas that differ. To be called in a transaction.
 *
 * @returns the facets of those that differ, by the schema's name.
 */
export async function compareTables(
  client: ClientBase,
  wanted: readonly WantedTables[],
): Promise<Map<string, Facet>> {
  const facets = new Map<string, Facet>();
  if (wanted.length === 0) return facets;
  const found = await fingerprints(
    client,
    wanted.map(({ schemaName }) => schemaName),
  );
  // The same array is the reference of many.
  const known = new Map<readonly string[], string>();
  for (const { schemaName, lines } of wanted) {
    const expected = known.get(lines) ?? fingerprintOf(lines);
    known.set(lines, expected);
    // One whose migrations make no table has none.
    const is = found.get(schemaName) ?? fingerprintOf([]);
    if (is === expected) continue;
    const differing =
      facets.size < DESCRIBED
        ? differingLines(lines, await describeSchema(client, schemaName))
        : undefined;
    facets.set(schemaName, {
      ...{ facet: "fingerprint", expected, found: is },
      repair: notRepaired(differing),
    });
  }
  return facets;
}

/** The lines in which a schema differs from its reference: `lacks …` and `has …`. */
export function differingLines(expected: readonly string[], found: readonly string[]): string[] {
  const { missing, added } = compareLines(expected, found);
  return [...missing.map((line) => `lacks ${line}`), ...added.map((line) => `has ${line}`)];
}

/**
 * Says that tables are not repaired, and which lines differ.
 *
 * @param differing Undefined where they were not looked up.
 */
export function notRepaired(differing: readonly string[] | undefined): string {
  const words = "tables are not repaired";
  if (differing === undefined)
    return `${words}: ask for this tenant's drift alone to see what differs`;
  const more = differing.length - NAMED;
  const named = differing.slice(0, NAMED).join("; ");
  return `${words}: the schema ${named}${more > 0 ? `; and ${more} more` : ""}. Write a migration, or undo it by hand`;
}
