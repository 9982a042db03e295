import type { ClientBase } from "pg";
import type { ExportedTable } from "./exported-tables";

/**
 * Runs `work` while the triggers of a schema's tables do not fire: what they once did is in the rows that are
 * loaded. References within a circle of tables are checked at its end; all others as the rows come. To be called
 * in a transaction: where `work` fails, nothing is put back, and the transaction is to be rolled back.
 *
 * `session_replication_role` would do the same by one setting, but only a superuser may set it, and references would
 * not be checked at all.
 *
 * @param tables In the order in which they are loaded.
 */
export async function withoutTriggers<T>(
  client: ClientBase,
  schemaName: string,
  tables: readonly ExportedTable[],
  work: () => Promise<T>,
): Promise<T> {
  const triggers = (await client.query<Trigger>(enabledTriggers, [schemaName])).rows;
  const order = tables.map(({ name }) => name);
  const deferred = (await client.query<Constraint>(fixedReferences, [schemaName])).rows.filter(
    ({ from, to }) => order.indexOf(from) < order.indexOf(to),
  );
  for (const { table, trigger } of triggers) {
    await client.query(`alter table only ${table} disable trigger ${trigger}`);
  }
  for (const { table, constraint } of deferred) {
    await client.query(`alter table ${table} alter constraint ${constraint} deferrable`);
  }
  await client.query("set constraints all deferred");
  const result = await work();
  // Checks them now: no table can be altered while one waits to be checked.
  await client.query("set constraints all immediate");
  for (const { table, constraint } of deferred) {
    await client.query(`alter table ${table} alter constraint ${constraint} not deferrable`);
  }
  for (const { table, trigger, fires } of triggers) {
    await client.query(`alter table only ${table} enable ${ways[fires]} trigger ${trigger}`);
  }
  return result;
}

/** Names are quoted, and those of tables have their schema. */
interface Trigger {
  readonly table: string;
  readonly trigger: string;
  readonly fires: keyof typeof ways;
}

interface Constraint {
  readonly table: string;
  readonly constraint: string;
  /** The names of the two tables, as they are. */
  readonly from: string;
  readonly to: string;
}

/** What pg_trigger.tgenabled says → how it is said in a statement. */
const ways = { O: "", R: "replica", A: "always" } as const;

// Those of partitions too. One that a migration has disabled stays so.
const enabledTriggers = `
  select format('%I.%I', nspname, relname) as "table", quote_ident(tgname) as trigger, tgenabled as fires
  from pg_trigger t join pg_class c on c.oid = tgrelid join pg_namespace n on n.oid = relnamespace
  where nspname = $1 and relkind in ('r', 'p') and not tgisinternal and tgenabled <> 'D'
  order by c.oid, tgname`;

const fixedReferences = `
  select format('%I.%I', nspname, f.relname) as "table", quote_ident(conname) as constraint,
    f.relname as "from", t.relname as "to"
  from pg_constraint k
  join pg_class f on f.oid = conrelid
  join pg_class t on t.oid = coalesce(pg_partition_root(confrelid), confrelid)
  join pg_namespace n on n.oid = f.relnamespace
  where nspname = $1 and t.relnamespace = n.oid and contype = 'f' and conparentid = 0 and not condeferrable
  order by f.relname, conname`;
