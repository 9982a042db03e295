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

/** A server for a while: its data is in a temporary directory and goes with it. */
export interface TemporaryPostgres extends Urls {
  stop(): Promise<void>;
  /**
   * Takes the server down, as an operator does or as the kernel does, and starts it again on the same
   * data and port. One at a time.
   *
   * @throws {SetUpError} when it does not come back
   */
  restart(restart: Restart): Promise<void>;
}

/** Speed instead of safety: nobody will miss this data. What is committed may be lost in a crash. */
const forgetful = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };

/**
 * Starts a server that is fast and forgets. It lives no longer than this process: another one
 * watches over it, and stops it and removes its files even when this one is killed.
 *
 * @param settings of the server
 * @throws {SetUpError} when it does not start
 */
export async function startTemporaryPostgres(
  settings: Readonly<Record<string, string>> = forgetful,
): Promise<TemporaryPostgres> {
  // A group of its own: a Ctrl-C must not end it before it has cleaned up.
  const keeper = fork(join(__dirname, "temporary-server.js"), [JSON.stringify(settings)], {
    detached: true,
  });
  const ended = once(keeper, "exit");
  const urls = async (): Promise<Urls> => {
    const answer: unknown = await Promise.race([
      once(keeper, "message").then(([message]: unknown[]) => message),
      ended.then(() => ({ fault: "its process ended" })),
    ]);
    const { fault, ...rest } = answer as Urls & { fault?: string };
    if (fault !== undefined) throw new SetUpError(`No temporary PostgreSQL: ${fault}`);
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
