import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { Client } from "pg";
import { serverOf } from "../../../provider/connections/server";
import { withConnection, withSessionLock } from "../../../provider/database/pool";
import { badNetworkTo } from "../../support/bad-network";
import { eventually } from "../../support/killable-service";
import { useServiceDatabase } from "../../support/service-database";

const database = useServiceDatabase({ migrated: false });

test("a connection that the server ends while nobody asks it fails the next statement only", async () => {
  const work = withConnection("DATABASE_URL", async (client) => {
    const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    const ended = new Promise<void>((resolve) => client.once("end", resolve));
    await database.asSuperuser(`select pg_terminate_backend(${rows[0]?.pid ?? 0})`);
    await ended;
    await client.query("select");
  });
  await expect(work).rejects.toThrow();
  await expect(
    withConnection("DATABASE_URL", (client) => client.query("select 1 as one")),
  ).resolves.toMatchObject({ rows: [{ one: 1 }] });
});

test("a connection that the server ends at a statement is not handed to the next one", async () => {
  const ended = withConnection("DATABASE_URL", (client) =>
    client.query("select pg_terminate_backend(pg_backend_pid())"),
  );
  // Asked for in the moment in which the error is known, and the end of the connection is not.
  const next = ended.catch(async (error: unknown) => {
    expect(error).toMatchObject({ code: "57P01" });
    return withConnection("DATABASE_URL", (client) => client.query("select 1 as one"));
  });
  await expect(next).resolves.toMatchObject({ rows: [{ one: 1 }] });
});

test("a connection that the server ends as soon as it is there fails its statement only", async () => {
  // As PostgreSQL does when it goes down just then: https://www.postgresql.org/docs/18/protocol-message-formats.html
  const message = (type: string, body: string) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(4 + body.length);
    return Buffer.concat([Buffer.from(type), length, Buffer.from(body, "latin1")]);
  };
  const fatal = "SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0";
  const parts = [message("R", "\0\0\0\0"), message("Z", "I"), message("E", fatal)];
  const server = createServer((socket) => {
    socket.once("data", () => socket.end(Buffer.concat(parts)));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  process.env.DYING_URL = `postgres://me@127.0.0.1:${port}/app`;
  const work = withConnection("DYING_URL", (client) => client.query("select"));
  await expect(work).rejects.toThrow();
  // It stays open: to end the session that was lost, another connection is made until the server answers.
  // It would go on beyond this file, and Jest ends with an error for code that runs after its file.
  server.unref();
});

test("a connection that goes silent fails its statement; one whose statement takes long is left alone", async () => {
  const network = await badNetworkTo(database.url());
  process.env.BAD_URL = network.through(database.url());
  const long = withConnection("BAD_URL", (client) =>
    client.query("select 'rested' as how from pg_sleep(14)"),
  );
  await eventually(async () => {
    const rows = await database.sql(
      `select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`,
    );
    return rows.length > 0 ? true : undefined;
  });
  const began = performance.now();
  const silent = withConnection("BAD_URL", async (client) => {
    network.silence("the newest");
    await client.query("select");
  });
  await expect(silent).rejects.toThrow("Connection terminated: the server was silent for too long");
  expect(performance.now() - began).toBeLessThan(14_000);
  await expect(long).resolves.toMatchObject({ rows: [{ how: "rested" }] });
  await network.close();
}, 60_000);

test("the lock of a connection that goes silent is free again", async () => {
  const network = await badNetworkTo(database.url());
  process.env.BAD_URL = network.through(database.url());
  let taken: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (taken = resolve));
  const holder = withSessionLock("BAD_URL", "the lock", 0, async (client) => {
    network.silence("the newest");
    taken();
    await client.query("select");
  }).catch((error: unknown) => String(error));
  await held;
  // Nobody else's session is ended for it, and whoever waits for the lock gets it.
  await withSessionLock("DATABASE_URL", "the lock", 30_000, (client) => client.query("select"));
  expect(await holder).toMatch(/Connection terminated/);
  await network.close();
}, 60_000);

test("the end of a lost session ends no newer one that has its number, and no other role's", async () => {
  const sessions: Client[] = [];
  const session = async (url: string) => {
    const client = new Client(url).on("error", () => undefined);
    sessions.push(client);
    await client.connect();
    const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    return { client, pid: rows[0]?.pid ?? 0 };
  };
  // A superuser may end any session.
  const superuser = new URL(process.env.TEST_POSTGRES_URL ?? "");
  superuser.pathname = new URL(database.url()).pathname;
  const lost = await session(superuser.href);
  const others = await session(database.url());
  const newer = await session(superuser.href);
  const ended = new Promise((resolve) => lost.client.once("end", resolve));
  const now = performance.now();
  const server = serverOf({ connectionString: superuser.href }, Client);
  // The first is asked for alone, and those that come meanwhile together.
  server.end({ pid: newer.pid, connectedAtMs: now - 3_600_000 });
  server.end({ pid: others.pid, connectedAtMs: now });
  server.end({ pid: lost.pid, connectedAtMs: now });
  await ended;
  for (const { client } of [newer, others]) await client.query("select");
  await Promise.all(sessions.map((client) => client.end()));
}, 60_000);
