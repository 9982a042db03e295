import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import { SetUpError } from "../tool.cjs";

/** A server for a while: its data is in a temporary directory and goes with it. */
export interface TemporaryPostgres {
  /** `postgres://` URL of a role without special rights, on a database that it owns. */
  readonly url: string;
  readonly superuserUrl: string;
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
  const first: unknown = await Promise.race([
    once(keeper, "message").then(([message]: unknown[]) => message),
    ended.then(() => undefined),
  ]);
  if (first === undefined) throw new SetUpError("A temporary PostgreSQL does not start");
  const urls = first as Pick<TemporaryPostgres, "url" | "superuserUrl">;
  return {
    ...urls,
    stop: async () => {
      keeper.disconnect();
      await ended;
    },
  };
}
