import type { PoolClient } from "pg";
import { SchemaInUseError } from "../contract/errors";

/**
 * Drops all that is in a schema and keeps the schema itself, with its owner. Where there is no such schema,
 * does nothing. To be called in a transaction.
 *
 * @throws {@link SchemaInUseError} when an object outside of the schema, such as a view in another one,
 * depends on an object in it. `drop … cascade` would drop that as well.
 */
export async function emptySchema(client: PoolClient, schemaName: string): Promise<void> {
  const { rows } = await client.query<{ owner: string }>(
    "select nspowner::regrole::text as owner from pg_namespace where nspname = $1",
    [schemaName],
  );
  const owner = rows[0]?.owner;
  if (owner === undefined) return;
  await lockTables(client, schemaName);
  await assertUnusedOutside(client, schemaName);
  const schema = client.escapeIdentifier(schemaName);
  await client.query(`drop schema ${schema} cascade`);
  // Not escaped here: 'regrole' has quoted the name where that is needed.
  await client.query(`create schema ${schema} authorization ${owner}`);
}

/**
 * Checks that dropping the schema would drop nothing outside of it. Passes where there is no such schema.
 *
 * @throws {@link SchemaInUseError} with the objects outside that depend on an object in it.
 */
export async function assertUnusedOutside(client: PoolClient, schemaName: string): Promise<void> {
  const outsiders = await dependentsOutside(client, schemaName);
  if (outsiders.length === 0) return;
  throw new SchemaInUseError(
    `schema ${schemaName} is in use from outside by ${outsiders.join(", ")}: drop that first`,
  );
}

/** How many tables a schema has, partitions not counted; 0 where there is no such schema. */
export async function countTables(client: PoolClient, schemaName: string): Promise<number> {
  const { rows } = await client.query<{ tables: number }>(
    `select count(*)::int as tables from pg_class c join pg_namespace n on n.oid = relnamespace
    where nspname = $1 and relkind in ('r', 'p') and not relispartition`,
    [schemaName],
  );
  return rows[0]?.tables ?? 0;
}

/**
 * Keeps other sessions from making a view or a foreign key on the schema's tables until the transaction
 * ends. Without it, one that is made after the check, while `drop … cascade` waits for a table's lock, would
 * be dropped too.
 */
async function lockTables(client: PoolClient, schemaName: string): Promise<void> {
  const { rows } = await client.query<{ table: string }>(
    // Only tables that this role may lock. The drop takes those of other roles as well.
    `select format('%I.%I', nspname, relname) as table
    from pg_class c join pg_namespace n on n.oid = relnamespace
    where nspname = $1 and relkind in ('r', 'p') and pg_has_role(relowner, 'usage')
    order by c.oid`,
    [schemaName],
  );
  if (rows.length === 0) return;
  await client.query(`lock table ${rows.map(({ table }) => table).join(", ")}`);
}

/** Follows pg_depend from the schema, and describes each object that it reaches in another schema. */
async function dependentsOutside(client: PoolClient, schemaName: string): Promise<string[]> {
  const { rows } = await client.query<{ object: string }>(
    `with recursive
      reached (classid, objid) as (
        select 'pg_namespace'::regclass::oid, oid from pg_namespace where nspname = $1
        union
        select next.classid, next.objid
        from reached r
        cross join lateral (
          select d.classid, d.objid
          from pg_depend d
          where d.refclassid = r.classid and d.refobjid = r.objid
          union all
          -- An internal part (deptype i) leads to its whole: a view depends on a table by its rule, and
          -- only the rule is listed as dependent on the table.
          select d.refclassid, d.refobjid
          from pg_depend d
          where d.classid = r.classid and d.objid = r.objid and d.deptype = 'i'
        ) next
      ),
      placed (classid, objid, namespace) as (
        select r.classid, r.objid, coalesce(
          (select relnamespace from pg_class where oid = r.objid and r.classid = 'pg_class'::regclass),
          (select typnamespace from pg_type
            where oid = r.objid and r.classid = 'pg_type'::regclass and typrelid = 0 and typcategory <> 'A'),
          (select pronamespace from pg_proc where oid = r.objid and r.classid = 'pg_proc'::regclass),
          (select connamespace from pg_constraint
            where oid = r.objid and r.classid = 'pg_constraint'::regclass)
        )
        from reached r
      )
    select distinct pg_describe_object(classid, objid, 0) as object
    from placed
    where namespace <> (select oid from pg_namespace where nspname = $1)
      and namespace <> 'pg_toast'::regnamespace
    order by object`,
    [schemaName],
  );
  return rows.map((row) => row.object);
}
