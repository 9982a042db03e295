import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import { SetUpError } from "../tool.cjs";

interface Urls {
  /** `postgres://` URL of a role without special rights, on a database that it owns. */
  readonly url: string;
  readonly superuserUrl: string;
}

/** A server for a while: its data is in a temporary directory and goes with it. */
export interface TemporaryPostgres extends Urls {
  stop(): Promise<void>;
}

/**
 * Starts a server that is fast and forgets. It lives no longer than this process: another one
 * watches over it, and stops it and removes its files even when this one is killed.
 *
 * @throws {SetUpError} when it does not start
 */
export async function startTemporaryPostgres(): Promise<TemporaryPostgres> {
  // A group of its own: a Ctrl-C must not end it before it has cleaned up.
  const keeper = fork(join(__dirname, "temporary-server.js"), { detached: true });
  const ended = once(keeper, "exit");
  const answer: unknown = await Promise.race([
    once(keeper, "message").then(([message]: unknown[]) => message),
    ended.then(() => ({ fault: "its process ended" })),
  ]);
  const { fault, ...urls } = answer as Urls & { fault?: string };
  if (fault !== undefined) throw new SetUpError(`No temporary PostgreSQL: ${fault}`);
  return {
    ...urls,
    stop: async () => {
      keeper.disconnect();
      await ended;
    },
  };
}
