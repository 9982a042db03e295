import type { ClientBase } from "pg";

/**
 * How values are written and read again, whatever the role, the database or the server is set to.
 * `row_security`: a table whose policies hide rows is an error, and not a table with fewer rows.
 * `synchronize_seqscans`: a table that is read twice gives its rows in the same order.
 */
const settings = {
  datestyle: "ISO, YMD",
  intervalstyle: "postgres",
  timezone: "UTC",
  extra_float_digits: "1",
  bytea_output: "hex",
  lc_monetary: "C",
  xmloption: "content",
  row_security: "off",
  synchronize_seqscans: "off",
  // It takes as long as it takes.
  statement_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  transaction_timeout: "0",
};

/**
 * Sets, until the transaction ends, how rows are copied. Names in values, such as those of type regclass, and
 * functions that checks call are looked up in the schema alone, as when its migrations ran.
 */
export async function setForCopy(client: ClientBase, schemaName: string): Promise<void> {
  await client.query(
    // Older servers do not have each of them.
    `select set_config(name, value, true)
    from unnest($1::text[], $2::text[]) as wanted (name, value)
    where name in (select lower(name) from pg_settings)`,
    [Object.keys(settings), Object.values(settings)],
  );
  await client.query("select set_config('search_path', quote_ident($1), true)", [schemaName]);
}
