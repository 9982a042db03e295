import type { ClientBase } from "pg";
import { to as copyTo } from "pg-copy-streams";
import type { ArchivedTable } from "../archive/manifest";
import { entryOf } from "../archive/entry-names";
import type { ArchiveWriter } from "../archive/write";
import { exportedSequences, type ExportedTable } from "./exported-tables";
import type { Manifest } from "../archive/manifest";

/** A table of at most so many bytes is read once. */
const KEPT_BYTES = 256 * 1024;

/**
 * Copies the rows of a table into an archive. A tar has the size of each file in front of it, and nobody knows it
 * before the rows were read. So a table that is large is read twice: to count, and to hand on.
 */
export async function copyOut(
  client: ClientBase,
  table: ExportedTable,
  archive: ArchiveWriter,
): Promise<ArchivedTable> {
  const { name } = table;
  const { kept, bytes, rows } = await measure(client, table);
  const file = entryOf(name);
  const source = kept ?? client.query(copyTo(statementOf(client, table)));
  const written = await archive.add(file, bytes, source as AsyncIterable<Buffer>);
  return { name, file, columns: [...table.columns], rows, ...written };
}

/** The sequences with their values, to be read after the rows: a sequence may be ahead of them, and never behind. */
export async function readSequences(
  client: ClientBase,
  schemaName: string,
): Promise<Manifest["sequences"]> {
  const sequences: Manifest["sequences"] = [];
  for (const { name, identifier } of await exportedSequences(client, schemaName)) {
    const { rows } = await client.query<{ lastValue: string; isCalled: boolean }>(
      `select last_value::text as "lastValue", is_called as "isCalled" from ${identifier}`,
    );
    if (rows[0] !== undefined) sequences.push({ name, ...rows[0] });
  }
  return sequences;
}

async function measure(client: ClientBase, table: ExportedTable) {
  const copy = client.query(copyTo(statementOf(client, table)));
  let kept: Buffer[] | undefined = [];
  let bytes = 0;
  for await (const chunk of copy as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= KEPT_BYTES) kept?.push(chunk);
    else kept = undefined;
  }
  // The server says how many rows there were after the last of them: its answer to this comes later still.
  await client.query("select");
  return { kept: kept && iterate(kept), bytes, rows: copy.rowCount };
}

// eslint-disable-next-line @typescript-eslint/require-await -- the large ones come asynchronously
async function* iterate(chunks: readonly Buffer[]) {
  yield* chunks;
}

function statementOf(client: ClientBase, table: ExportedTable): string {
  const { identifier, isPartitioned, columns } = table;
  const names = columns.map((column) => client.escapeIdentifier(column)).join(", ");
  // Rows of tables that inherit from it are those tables' own.
  const from = isPartitioned ? identifier : `only ${identifier}`;
  return `copy (select ${names} from ${from}) to stdout (format csv, header)`;
}
