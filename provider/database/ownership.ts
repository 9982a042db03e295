import type { ClientBase } from "pg";

/**
 * The statements that give a role what is in a schema and belongs to the connected role, and for the role the
 * default privileges that the connected role has given others, so that they can use later tables too.
 */
export async function ownershipStatements(
  client: ClientBase,
  schemaName: string,
  role: string,
): Promise<string[]> {
  const { rows } = await client.query<{ statement: string }>(`${objects} union all ${defaults}`, [
    schemaName,
    role,
  ]);
  return rows.map(({ statement }) => statement);
}

// "reassign owned" would take the control tables too. What has an owner is in pg_shdepend, and what is in a
// schema in pg_depend; parts, such as indexes, rows' types and a column's own sequence, follow their whole.
const objects = `
  select format('alter %s %s owner to %I',
    case o.type when 'statistics object' then 'statistics' else o.type end, o.identity, $2::text) as statement
  from pg_depend d
  join pg_shdepend owner on owner.dbid = (select oid from pg_database where datname = current_database())
    and owner.classid = d.classid and owner.objid = d.objid and owner.deptype = 'o'
    and owner.refclassid = 'pg_authid'::regclass and owner.refobjid = current_user::regrole,
  pg_identify_object(d.classid, d.objid, 0) o
  where d.refclassid = 'pg_namespace'::regclass and d.deptype = 'n'
    and d.refobjid = (select oid from pg_namespace where nspname = $1)
    and o.type in ('table', 'view', 'materialized view', 'foreign table', 'sequence', 'function', 'procedure',
      'aggregate', 'type', 'operator', 'collation', 'conversion',
      'text search configuration', 'text search dictionary', 'statistics object')
    and not exists (select from pg_depend part where part.classid = d.classid and part.objid = d.objid
      and part.refclassid = 'pg_class'::regclass and part.deptype in ('a', 'i') and o.type = 'sequence')
    and not exists (select from pg_type where d.classid = 'pg_type'::regclass and oid = d.objid and typtype = 'm')`;

const defaults = `
  select format('alter default privileges for role %I in schema %I grant %s on %s to %s%s', $2::text, $1::text,
    privilege_type,
    case defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'routines' else 'types' end,
    case grantee when 0 then 'public' else grantee::regrole::text end,
    case when is_grantable then ' with grant option' else '' end)
  from pg_default_acl, aclexplode(defaclacl)
  where defaclrole = current_user::regrole and grantee <> defaclrole and defaclobjtype in ('r', 'S', 'f', 'T')
    and defaclnamespace in (0, (select oid from pg_namespace where nspname = $1))`;
