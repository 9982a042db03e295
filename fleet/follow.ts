import { setTimeout as delay } from "node:timers/promises";
import { withConnection } from "../provider/database/pool";
import type { DatabaseAddress } from "../provider/database/settings";
import { progressLine, settledOf } from "./progress";
import { readFailures, readProgress } from "./rollout/read";
import type { RolloutProgress } from "./rollout/rollout";
import { table } from "./table";

/** How a rollout is followed. */
export interface FollowParts {
  readonly database: DatabaseAddress;
  readonly id: string;
  /** JSON lines on standard output, instead of words on standard error. */
  readonly json: boolean;
}

/** How often it is looked how far a rollout is, where a terminal shows a bar and where none does. */
const [BAR_INTERVAL_MS, LINE_INTERVAL_MS] = [300, 3_000];

/**
 * Shows how far a rollout is, until it is not running any more, or `stop` aborts.
 *
 * @returns how far it was then.
 */
export async function follow(parts: FollowParts, stop: AbortSignal): Promise<RolloutProgress> {
  const { database, id, json } = parts;
  const hasBar = process.stderr.isTTY && !json;
  const read = () => withConnection(database, (client) => readProgress(client, id));
  const beganMs = performance.now();
  let progress = await read();
  const settled = settledOf(progress);
  for (;;) {
    const seconds = (performance.now() - beganMs) / 1_000;
    if (json) console.log(JSON.stringify({ event: "progress", ...progress }));
    else {
      const line = progressLine(progress, { settled, seconds }, hasBar);
      process.stderr.write(hasBar ? `\r\u001B[K${line}` : `${line}\n`);
    }
    if (stop.aborted || progress.status !== "running") break;
    await delay(hasBar ? BAR_INTERVAL_MS : LINE_INTERVAL_MS, undefined, { signal: stop }).catch(
      () => undefined,
    );
    progress = await read();
  }
  if (hasBar) process.stderr.write("\n");
  return progress;
}

/**
 * Says how a rollout stands, with a table of the tenants that have failed.
 *
 * @returns the exit code: 0 where it succeeded, 1 where it has failed, 2 where it has not ended or was cancelled.
 */
export async function conclusion({ database, id, json }: FollowParts): Promise<number> {
  const [progress, failures] = await withConnection(database, async (client) => [
    await readProgress(client, id),
    await readFailures(client, id),
  ]);
  if (json) console.log(JSON.stringify({ event: "end", ...progress, failures }));
  else {
    if (failures.length > 0) {
      const rows = failures.map(({ slug, message }) => [slug, message]);
      console.log(table(["tenant", "failure"], rows).join("\n"));
    }
    console.log(summary(progress));
  }
  return { succeeded: 0, failed: 1, running: 2, paused: 2, cancelled: 2 }[progress.status];
}

function summary(progress: RolloutProgress): string {
  const { id, status, reason, tenants, done, failed } = progress;
  const left = tenants - settledOf(progress);
  const counts = `${done} of ${tenants} tenants have every file, ${failed} failed, ${left} are left`;
  const why = reason === null ? "" : ` (${reason})`;
  const next = ["succeeded", "cancelled"].includes(status)
    ? ""
    : `\nGo on by: npm run fleet -- resume ${id}`;
  return `rollout ${id}: ${status === "running" ? "not ended" : status}${why}. ${counts}${next}`;
}
