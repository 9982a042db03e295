import { Client, type QueryResultRow } from "pg";

/** Runs one statement over a new connection and returns its rows. */
export async function sql<Row extends QueryResultRow>(
  url: string,
  statement: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const client = new Client(url);
  await client.connect();
  try {
    return (await client.query<Row>(statement, [...values])).rows;
  } finally {
    await client.end();
  }
}
