import type { PoolClient } from "pg";
import { inTransaction, withConnection } from "./pool";
import { assertUnusedOutside } from "./schema";
import type { DatabaseAddress } from "./settings";

/**
 * Drops so much of a schema, in several transactions, that the rest can be dropped in one. A transaction holds a lock
 * on each object that it drops, in one table that all sessions of the server share: when that is full, everybody's
 * statements fail. A schema that fits is left as it is. A run that is cut off leaves the rest to the next one.
 *
 * @param first Is done at the beginning of each transaction: it has to see to it that nobody uses the schema.
 * @throws {@link SchemaInUseError} when an object outside of the schema depends on an object in it.
 */
export async function dropInParts(
  database: DatabaseAddress,
  schemaName: string,
  first: (client: PoolClient) => Promise<void>,
): Promise<void> {
  for (;;) {
    const part = await withConnection(database, (client) => nextPart(client, schemaName));
    if (part.length === 0) return;
    await inTransaction(database, async (client) => {
      await first(client);
      // Keeps others from making a view or a foreign key on a table between the check and the drop.
      const tables = part.filter(({ type }) => type === "table").map(({ identity }) => identity);
      if (tables.length > 0) {
        await client.query(`lock table ${tables.map((table) => `only ${table}`).join(", ")}`);
      }
      await assertUnusedOutside(client, schemaName);
      for (const { type, identity } of part) {
        await client.query(`drop ${type} if exists ${identity} cascade`);
      }
    });
  }
}

/** An object of a schema, as `drop` takes it, and how many locks its drop needs. */
interface Part {
  /** Such as `table` or `materialized view`. */
  readonly type: string;
  /** Its name, with its schema, quoted. */
  readonly identity: string;
  readonly locks: number;
}

/** What to drop next in one transaction; nothing where all that is there can be dropped at once. */
async function nextPart(client: PoolClient, schemaName: string): Promise<Part[]> {
  const { rows } = await client.query<Part>(selectParts, [schemaName]);
  const budget = await lockBudget(client);
  let locks = rows.reduce((sum, part) => sum + part.locks, 0);
  if (locks <= budget) return [];
  locks = 0;
  const tooMany = rows.findIndex((part) => (locks += part.locks) > budget);
  // One that is too large alone has to be tried alone.
  return rows.slice(0, Math.max(tooMany, 1));
}

/** Half of the locks that are free now. The other half is for what other sessions begin meanwhile. */
async function lockBudget(client: PoolClient): Promise<number> {
  const { rows } = await client.query<{ free: number }>(
    `select (
      current_setting('max_locks_per_transaction')::int
        * (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int)
      - (select count(*) from pg_locks where not fastpath))::int as free`,
  );
  return Math.floor((rows[0]?.free ?? 0) / 2);
}

// The objects of a schema that are no part of another, in the order in which they can be dropped one by one: views
// before their tables, partitions before the table that they are of. First of all goes the table of the applied
// migrations: without it a schema that is half dropped is never taken for one that is whole. 'locks' counts what goes
// with an object, such as its indexes, its constraints and its types: each needs a lock too.
const selectParts = `
  with recursive root as (
    select d.classid, d.objid, type, identity, coalesce(relispartition, false) as is_partition,
      coalesce(relname = 'schema_migrations', false) as is_first
    from pg_depend d
    cross join lateral pg_identify_object(d.classid, d.objid, 0)
    left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
    where d.refclassid = 'pg_namespace'::regclass and d.deptype = 'n'
      and d.refobjid = (select oid from pg_namespace where nspname = $1)
      and type in ('table', 'foreign table', 'view', 'materialized view', 'sequence', 'function',
        'procedure', 'aggregate', 'type')
      and not exists (
        select from pg_depend e where e.classid = d.classid and e.objid = d.objid
          and (e.deptype in ('i', 'e') or e.deptype = 'a' and relispartition is not true))),
  reached (root, classid, objid) as (
    select identity, classid, objid from root
    union
    select r.root, d.classid, d.objid
    from reached r join pg_depend d on d.refclassid = r.classid and d.refobjid = r.objid),
  counted as (select root as identity, count(*)::int as locks from reached group by 1)
  select type, identity, locks
  from root join counted using (identity)
  order by is_first desc, type in ('view', 'materialized view') desc,
    case when is_partition then (select count(*) from pg_partition_ancestors(objid)) else 0 end desc,
    type not in ('table', 'foreign table'), objid`;
