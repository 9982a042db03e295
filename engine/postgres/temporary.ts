import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import { SetUpError } from "../../scripts/tool.cjs";
import type { Restart } from "./temporary-server";

interface Urls {
  /** `postgres://` URL of a role without special rights, on a database that it owns. */
  readonly url: string;
  readonly superuserUrl: string;
}

/** A server whose data is in a temporary directory, which is removed when the server stops. */
export interface TemporaryPostgres extends Urls {
  stop(): Promise<void>;
  /**
   * Stops the server, or kills it by SIGKILL, and starts it again on the same data and port. Wait for
   * one restart to end before the next.
   *
   * @throws {SetUpError} when it does not come back
   */
  restart(restart: Restart): Promise<void>;
}

/** Fast rather than safe: what is committed may be lost when the machine crashes. Nobody needs this data then. */
const withoutDurability = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };

/**
 * Starts a temporary server. It does not outlive this process: a second process, forked here, runs it,
 * and stops it and removes its files even when this process is killed.
 *
 * @param settings of the server, by their names in postgresql.conf. Default: fast, and not durable
 * @throws {SetUpError} when it does not start
 */
export async function startTemporaryPostgres(
  settings: Readonly<Record<string, string>> = withoutDurability,
): Promise<TemporaryPostgres> {
  // In a process group of its own, a Ctrl-C in the terminal does not reach it. It would end before it
  // had stopped the server and removed the files.
  const keeper = fork(join(__dirname, "temporary-server.js"), [JSON.stringify(settings)], {
    detached: true,
  });
  const ended = once(keeper, "exit");
  const urls = async (): Promise<Urls> => {
    const answer: unknown = await Promise.race([
      once(keeper, "message").then(([message]: unknown[]) => message),
      ended.then(() => ({ problem: "its process ended" })),
    ]);
    const { problem, ...rest } = answer as Urls & { problem?: string };
    if (problem !== undefined) throw new SetUpError(`No temporary PostgreSQL: ${problem}`);
    return rest;
  };
  return {
    ...(await urls()),
    restart: async (restart) => {
      const again = urls();
      keeper.send(restart);
      await again;
    },
    stop: async () => {
      if (keeper.connected) keeper.disconnect();
      await ended;
    },
  };
}
