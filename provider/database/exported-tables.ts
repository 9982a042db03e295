import type { ClientBase } from "pg";

/** A table whose rows an archive has. */
export interface ExportedTable {
  readonly oid: string;
  readonly name: string;
  /** With its schema, quoted: to be put into a statement as it is. */
  readonly identifier: string;
  /** Whether its rows are in partitions. */
  readonly isPartitioned: boolean;
  /** Without generated ones, which PostgreSQL computes again. */
  readonly columns: readonly string[];
  /** Why the connected role cannot read every row of it; null where it can. */
  readonly fault: string | null;
}

/** The name of a table, and that of one to which it refers. */
export type Reference = readonly [from: string, to: string];

/**
 * The tables of a schema whose rows are the tenant's own: no partition, whose rows its root has; no view, no foreign
 * table, nothing of an extension, and not dbmate's own. Each comes after those to which it refers.
 */
export async function exportedTables(
  client: ClientBase,
  schemaName: string,
): Promise<ExportedTable[]> {
  const { rows } = await client.query<ExportedTable>(tables, [schemaName]);
  const links = await client.query<{ from: string; to: string }>(references, [schemaName]);
  const order = loadOrder(
    rows.map(({ name }) => name),
    links.rows.map(({ from, to }) => [from, to]),
  );
  return rows.sort((one, other) => order.indexOf(one.name) - order.indexOf(other.name));
}

/**
 * The order in which tables can be loaded: each after those to which it refers. Of tables that refer to each other
 * in a circle, the first by name comes first: what it refers to is checked at the end of a load.
 */
export function loadOrder(names: readonly string[], links: readonly Reference[]): string[] {
  const open = new Map(names.map((name) => [name, new Set<string>()]));
  for (const [from, to] of links) if (from !== to && open.has(to)) open.get(from)?.add(to);
  const order: string[] = [];
  while (open.size > 0) {
    const free = [...open].filter(([, needs]) => needs.size === 0).map(([name]) => name);
    const next =
      free.length > 0 ? free : [[...open.keys()].find((name) => isInCircle(open, name)) ?? ""];
    for (const name of next) open.delete(name);
    for (const needs of open.values()) for (const name of next) needs.delete(name);
    order.push(...next);
  }
  return order;
}

/** Whether a table refers to itself over others. */
function isInCircle(open: ReadonlyMap<string, ReadonlySet<string>>, name: string): boolean {
  const reached = new Set<string>();
  const ahead = [...(open.get(name) ?? [])];
  for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
    if (next === name) return true;
    if (reached.has(next)) continue;
    reached.add(next);
    ahead.push(...(open.get(next) ?? []));
  }
  return false;
}

/** A sequence of a schema. */
export interface ExportedSequence {
  readonly name: string;
  /** With its schema, quoted. */
  readonly identifier: string;
  /** Whether the connected role may read it. */
  readonly isReadable: boolean;
}

/** The sequences of a schema, those of identity columns too, by their names. */
export async function exportedSequences(
  client: ClientBase,
  schemaName: string,
): Promise<ExportedSequence[]> {
  const { rows } = await client.query<ExportedSequence>(
    `select relname as name, format('%I.%I', nspname, relname) as identifier,
      has_sequence_privilege(c.oid, 'select') as "isReadable"
    from pg_class c join pg_namespace n on n.oid = relnamespace
    where nspname = $1 and relkind = 'S' and ${ownedByNoExtension}
    order by relname collate "C"`,
    [schemaName],
  );
  return rows;
}

const ownedByNoExtension = `not exists (
  select from pg_depend d
  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
)`;

const tables = `
  select c.oid::text, relname as name, format('%I.%I', nspname, relname) as identifier,
    relkind = 'p' as "isPartitioned",
    array(
      select attname::text from pg_attribute
      where attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated = ''
      order by attnum
    ) as columns,
    case when not has_table_privilege(c.oid, 'select') then 'the role may not read it'
      when row_security_active(c.oid) then 'its policies hide rows from the role' end as fault
  from pg_class c join pg_namespace n on n.oid = relnamespace
  where nspname = $1 and relkind in ('r', 'p') and not relispartition
    and relname <> 'schema_migrations' and ${ownedByNoExtension}
  order by relname collate "C"`;

const references = `
  select distinct f.relname as "from", t.relname as "to"
  from pg_constraint k
  join pg_class f on f.oid = coalesce(pg_partition_root(conrelid), conrelid)
  join pg_class t on t.oid = coalesce(pg_partition_root(confrelid), confrelid)
  where contype = 'f' and f.relnamespace = t.relnamespace
    and f.relnamespace = (select oid from pg_namespace where nspname = $1)`;
