import { ConfigurationError } from "../../provider/contract/errors";
import { connectionSettings } from "../../provider/database/settings";
import type { Arguments } from "../arguments";
import { conclusion, follow } from "../follow";
import { stopRollout } from "../rollout/steer";

/** `watch`: shows how far a rollout is that others run, until it ends or is paused. */
export async function watch({ id, json }: Arguments): Promise<number> {
  const parts = { database: connectionSettings(), id: named(id), json };
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => stop.abort());
  await follow(parts, stop.signal);
  return conclusion(parts);
}

/** `pause`: whoever runs the rollout ends what is at work; it can be resumed. */
export const pause = (args: Arguments) => halt(args, "paused");

/** `cancel`: the same for good. */
export const cancel = (args: Arguments) => halt(args, "cancelled");

async function halt({ id, json }: Arguments, status: "paused" | "cancelled"): Promise<number> {
  const parts = { database: connectionSettings(), id: named(id), json };
  await stopRollout(parts.database, parts.id, status);
  await conclusion(parts);
  return 0;
}

function named(id: string | undefined): string {
  if (id === undefined) throw new ConfigurationError("name the rollout by its ID");
  return id;
}
