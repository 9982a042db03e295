import type { Logger } from "pino";
import { usualOptions } from "../../fleet/rollout/rollout";
import type { Config } from "../config/config";
import { RolloutRefusedError } from "../system/errors";
import type { Rollouts } from "./rollouts";

/** How many tenants are migrated before all others, with `canary`. */
const CANARIES = 3;

/**
 * Begins a rollout of the files that tenants of the service lack. Of instances that start together one begins it, and
 * all run it. Where it is refused, such as by a file that was edited, the log says so and the service starts.
 *
 * @throws DatabaseDownError
 */
export async function migrateOnStart(
  rollouts: Rollouts,
  mode: Config["migrateOnStart"],
  log: Logger,
): Promise<void> {
  if (mode === "off") return;
  const options = { ...usualOptions, canary: mode === "canary" ? CANARIES : 0 };
  try {
    const rollout = await rollouts.begin(options, null);
    if (rollout !== undefined) log.info({ rollout }, "a rollout of new migrations was begun");
  } catch (error) {
    if (!(error instanceof RolloutRefusedError)) throw error;
    log.warn({ reason: error.message }, "no rollout of new migrations was begun");
  }
}
