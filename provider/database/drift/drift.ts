import { inTransaction } from "../pool";
import type { MigrationDigests } from "../migrations";
import type { DatabaseAddress } from "../settings";
import { compare } from "./compare";
import type { Facet, WantedFacets, WantedOfAll } from "./facet";
import { findFacets } from "./found";
import { compareTables, type WantedTables } from "./tables";

/** What {@link driftOf} needs besides the tenants. */
export interface DriftSettings extends WantedOfAll {
  /**
   * Gives the lines of the schema in which just these files were applied; undefined where nobody can say, and
   * then tables are not compared.
   */
  readonly referenceOf: (files: MigrationDigests) => Promise<readonly string[] | undefined>;
}

/** How long a statement may wait for a lock: some definitions in the catalogs cannot be read while a table changes. */
const LOCK_TIMEOUT = "2s";

/**
 * Compares many tenants with what is wanted of them, by two statements over catalogs and control tables, however
 * many they are, and one more for each of a few whose tables differ. No table of a tenant is read.
 *
 * @returns the facets that differ, in their order, by the tenant's id; none for a tenant that is as wanted.
 * @throws what `referenceOf` throws; errors of pg as they are: SQLSTATE 55P03 where somebody has begun to change
 * a table since. The tables of a schema in which somebody changes one already are not compared.
 */
export async function driftOf(
  database: DatabaseAddress,
  tenants: readonly WantedFacets[],
  settings: DriftSettings,
): Promise<Map<string, Facet[]>> {
  const drift = new Map<string, Facet[]>();
  if (tenants.length === 0) return drift;
  const found = await inTransaction(database, (client) => findFacets(client, tenants));
  const comparable: (WantedTables & { readonly id: string })[] = [];
  const references = new Map<string, Promise<readonly string[] | undefined>>();
  for (const [place, wanted] of tenants.entries()) {
    const is = found[place];
    if (is === undefined) continue;
    const { facets, isComparable } = compare(wanted, is, settings);
    drift.set(wanted.id, [...facets]);
    if (!isComparable) continue;
    const files = is.digests;
    const key = Object.keys(files).sort().join(" ");
    const reference = references.get(key) ?? settings.referenceOf(files);
    references.set(key, reference);
    const lines = await reference;
    if (lines !== undefined)
      comparable.push({ id: wanted.id, schemaName: `tenant_${wanted.id}`, lines });
  }
  const tables = await inTransaction(database, async (client) => {
    await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
    return compareTables(client, comparable);
  });
  for (const { id, schemaName } of comparable) {
    const facet = tables.get(schemaName);
    if (facet !== undefined) drift.get(id)?.push(facet);
  }
  return new Map([...drift].filter(([, facets]) => facets.length > 0));
}
