import { startTemporaryPostgres, type TemporaryPostgres } from "../../engine/postgres/temporary";

let server: TemporaryPostgres | undefined;

/** One PostgreSQL server for the whole run, unless TEST_POSTGRES_URL names one already. */
export default async function setUp(): Promise<void> {
  if (process.env.TEST_POSTGRES_URL !== undefined) return;
  server = await startTemporaryPostgres();
  process.env.TEST_POSTGRES_URL = server.superuserUrl;
}

/** Ends the server that `setUp` started. */
export async function tearDown(): Promise<void> {
  await server?.stop();
}
