import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

declare global {
  var testPostgres: ChildProcess | undefined;
}

/** One PostgreSQL server for the whole run, unless TEST_POSTGRES_URL names one already. */
export default async function setUp(): Promise<void> {
  if (process.env.TEST_POSTGRES_URL !== undefined) return;
  // A group of its own: a Ctrl-C must not end it before it has cleaned up.
  const server = fork(join(__dirname, "postgres-server.js"), { detached: true });
  const url: unknown = await new Promise((resolve, reject) => {
    server.once("message", resolve);
    server.once("exit", (code) => {
      reject(new Error(`the test run's PostgreSQL did not start (exit code ${code ?? "none"})`));
    });
  });
  process.env.TEST_POSTGRES_URL = String(url);
  globalThis.testPostgres = server;
}

/** Ends the server that `setUp` started. */
export async function tearDown(): Promise<void> {
  const server = globalThis.testPostgres;
  if (!server) return;
  server.disconnect();
  await once(server, "exit");
}
