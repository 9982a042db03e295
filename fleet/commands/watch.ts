import { ConfigurationError } from "../../provider/contract/errors";
import { withConnection } from "../../provider/database/pool";
import { connectionSettings } from "../../provider/database/settings";
import type { Arguments } from "../arguments";
import { conclusion, follow } from "../follow";
import { newestRollout } from "../rollout/read";
import { stopRollout } from "../rollout/steer";

/** `watch`: shows how far a rollout is that others run, until it ends or is paused. */
export async function watch(args: Arguments): Promise<number> {
  const parts = await chosen(args);
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => stop.abort());
  await follow(parts, stop.signal);
  return conclusion(parts);
}

/** `pause`: whoever runs the rollout ends what is at work; it can be resumed. */
export const pause = (args: Arguments) => halt(args, "paused");

/** `cancel`: the same for good. So it wants the rollout to be named. */
export async function cancel(args: Arguments): Promise<number> {
  if (args.id === undefined) throw new ConfigurationError("name the rollout by its ID");
  return halt(args, "cancelled");
}

async function halt(args: Arguments, status: "paused" | "cancelled"): Promise<number> {
  const parts = await chosen(args);
  await stopRollout(parts.database, parts.id, status);
  await conclusion(parts);
  return 0;
}

/** The named rollout, or the newest. */
async function chosen({ id, json }: Arguments) {
  const database = connectionSettings();
  return { database, id: id ?? (await withConnection(database, newestRollout)), json };
}
