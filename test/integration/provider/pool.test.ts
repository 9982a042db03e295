import { setTimeout as delay } from "node:timers/promises";
import { withConnection } from "../../../provider/database/pool";
import { useServiceDatabase } from "../../support/service-database";

const database = useServiceDatabase({ migrated: false });

test("a connection that the server ends while nobody asks it fails the next statement only", async () => {
  const work = withConnection("DATABASE_URL", async (client) => {
    const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    await database.asSuperuser(`select pg_terminate_backend(${rows[0]?.pid ?? 0})`);
    await delay(100);
    await client.query("select");
  });
  await expect(work).rejects.toThrow();
  await expect(
    withConnection("DATABASE_URL", (client) => client.query("select 1 as one")),
  ).resolves.toMatchObject({ rows: [{ one: 1 }] });
});
