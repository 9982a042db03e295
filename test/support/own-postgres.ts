import { chmodSync, readFileSync } from "node:fs";
import path from "node:path";
import { startEmbeddedPostgres, type EmbeddedPostgres } from "../../engine/postgres/embedded";
import { temporaryFolder } from "./service-process";

/** A PostgreSQL server that a test file has for itself, and may kill. */
export interface OwnPostgres {
  /** Kills the server as the kernel does, and starts it again on its data and port. */
  crash(): Promise<void>;
  /** Ends it; to be called after all that uses it. */
  stop(): Promise<void>;
}

/**
 * Starts the server before a file's tests; TEST_POSTGRES_URL names it there.
 *
 * @param settings Of the server, such as `{ max_connections: "20" }`.
 */
export function useOwnPostgres(settings: Readonly<Record<string, string>> = {}): OwnPostgres {
  const directory = temporaryFolder("own-postgres-");
  // As root, the server runs under another account, which must be able to enter.
  chmodSync(directory, 0o755);
  let server: EmbeddedPostgres;
  const start = async () => {
    server = await startEmbeddedPostgres({
      directory,
      report: () => undefined,
      // The machine goes on when a process is killed: what was written is there.
      settings: { fsync: "off", full_page_writes: "off", ...settings },
    });
  };
  beforeAll(async () => {
    await start();
    process.env.TEST_POSTGRES_URL = server.superuserUrl;
  });
  return {
    stop: () => server.stop(),
    async crash() {
      const file = path.join(directory, "server/data/postmaster.pid");
      process.kill(parseInt(readFileSync(file, "utf8"), 10), "SIGKILL");
      // Lets go of the directory: nothing is there to be stopped.
      await server.stop();
      await start();
    },
  };
}
