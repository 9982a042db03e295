import { Client, type QueryResultRow } from "pg";
import { migrations } from "../../provider/resources";
import { createTestDatabase } from "./database";

/** A database of a test file's own, with the control tables in it. */
export interface ResourceDatabase {
  /** The environment variable that names it, for the resources under test. */
  readonly urlEnv: string;
  /** The same database as the server's superuser. */
  superuserUrl(): string;
  /** Runs a statement as the tables' owner. */
  sql<T extends QueryResultRow>(statement: string, values?: unknown[]): Promise<T[]>;
}

/** Makes the database before a file's tests, and drops it after them. */
export function useResourceDatabase(options: { tenantRoles?: boolean } = {}): ResourceDatabase {
  const urlEnv = "RESOURCE_TEST_URL";
  let client: Client;
  let drop: () => Promise<void>;
  let superuserUrl: string;
  beforeAll(async () => {
    const database = await createTestDatabase(options);
    process.env[urlEnv] = database.url;
    ({ superuserUrl } = database);
    drop = () => database.drop();
    client = new Client(database.url);
    await client.connect();
    const inputs = { urlEnv, schemaName: "public", forceDestroy: false };
    await migrations.create(checked(migrations.check({}, inputs)));
  });
  afterAll(async () => {
    await client.end();
    await drop();
  });
  return {
    urlEnv,
    superuserUrl: () => superuserUrl,
    sql: async <T extends QueryResultRow>(statement: string, values: unknown[] = []) =>
      (await client.query<T>(statement, values)).rows,
  };
}

/** What the engine does with a check's answer: fails on a fault, goes on with the inputs else. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller names it: the engine's messages have none.
export function checked<T>(answer: {
  inputs: Record<string, unknown>;
  failures?: unknown[] | undefined;
}): T {
  expect(answer.failures ?? []).toEqual([]);
  expect(answer.inputs.faults ?? []).toEqual([]);
  return answer.inputs as T;
}
