import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { setTimeout as delay } from "node:timers/promises";
import { ConfigurationError } from "../../provider/contract/errors";
import { readMigrations } from "../../provider/database/migrations";
import { inTransaction, withConnection, withSessionLock } from "../../provider/database/pool";
import type { DatabaseAddress } from "../../provider/database/settings";
import { migrateTenant, type Outcome } from "./migrate-tenant";
import { readRollout } from "./read";
import type { Rollout } from "./rollout";
import { conclude, fail, postpone, settle, type Taken } from "./settle";
import { giveBackOfDead, runnerLock, takeTenant, type TakenTenant } from "./take";

/** What a runner needs. */
export interface RunnerParts {
  readonly database: DatabaseAddress;
  /** The folder with the rollout's files. */
  readonly directory: string;
  /** How many tenants it migrates at once. */
  readonly concurrency: number;
  /** Called before each tenant is taken: whatever else is more urgent can be waited for. Default: nothing is. */
  readonly letPass?: () => Promise<void>;
  /** When it aborts, the runner ends the migrations that it has begun, and takes no others. */
  readonly stop: AbortSignal;
}

/** How long to wait where no tenant can be taken now, because others have the rest or its time has not come. */
const BETWEEN_LOOKS_MS = 500;

/** How long a runner may wait for a lock that nobody else asks for. */
const LOCK_WAIT_MS = 5_000;

/**
 * Runs a rollout until no tenant of it is left, or it is stopped. Several may run one at once, in any processes: each
 * tenant is one runner's. What a runner had that was killed is given back to the others.
 *
 * @throws {@link ConfigurationError} where the folder is not what the rollout was begun with; errors of pg, and others
 * that are not about one tenant alone: the rollout goes on when it is resumed.
 */
export async function runRollout(parts: RunnerParts, id: string): Promise<void> {
  const rollout = await withConnection(parts.database, (client) => readRollout(client, id));
  assertSameFiles(rollout, parts.directory);
  const runner = randomUUID();
  const stop = new AbortController();
  parts.stop.addEventListener("abort", () => stop.abort(), { once: true });
  if (parts.stop.aborted) stop.abort();
  await withSessionLock(parts.database, runnerLock(runner), LOCK_WAIT_MS, async () => {
    const workers = Array.from({ length: parts.concurrency }, async () => {
      try {
        await work({ ...parts, stop: stop.signal }, rollout, runner);
      } catch (error) {
        stop.abort();
        throw error;
      }
    });
    const ended = await Promise.allSettled(workers);
    const fault = ended.find((end) => end.status === "rejected");
    if (fault !== undefined) throw fault.reason;
  });
}

/** One tenant after the other, until the rollout is over. */
async function work(parts: RunnerParts, rollout: Rollout, runner: string): Promise<void> {
  const { database, stop } = parts;
  const { id } = rollout;
  while (!stop.aborted) {
    await parts.letPass?.();
    const tenant = await withConnection(database, (client) => takeTenant(client, rollout, runner));
    if (tenant !== undefined) {
      const { tenantId } = tenant;
      const outcome = await migrateTenant(database, rollout, parts.directory, tenantId);
      await note(database, rollout, { ...tenant, id, runner }, outcome);
      continue;
    }
    if (await isOver(database, rollout)) return;
    await delay(BETWEEN_LOOKS_MS, undefined, { signal: stop }).catch(() => undefined);
  }
}

async function note(
  database: DatabaseAddress,
  { options }: Rollout,
  tenant: Taken & TakenTenant,
  outcome: Outcome,
): Promise<void> {
  const { lockTries } = tenant;
  const { kind } = outcome;
  if (kind === "failed" || (kind === "locked" && lockTries >= options.lockRetries)) {
    await inTransaction(database, (client) =>
      fail(client, tenant, outcome.message, options.maxFailures),
    );
    return;
  }
  await withConnection(database, async (client) => {
    if (kind === "done" || kind === "gone") await settle(client, tenant, kind);
    else if (kind === "busy") await postpone(client, tenant, { waitMs: waitMs(1), lockTries });
    else await postpone(client, tenant, { waitMs: waitMs(lockTries), lockTries: lockTries + 1 });
  });
}

/** Doubles from try to try, from about a second to about half a minute; at random, so that not all come at once. */
function waitMs(tries: number): number {
  return Math.min(1_000 * 2 ** tries, 30_000) * (0.5 + Math.random());
}

async function isOver(database: DatabaseAddress, rollout: Rollout): Promise<boolean> {
  const status = await inTransaction(database, async (client) => {
    await giveBackOfDead(client, rollout.id);
    return conclude(client, rollout);
  });
  return status !== "running";
}

/** @throws {@link ConfigurationError} */
function assertSameFiles({ id, files }: Rollout, directory: string): void {
  if (isDeepStrictEqual(readMigrations(directory), files)) return;
  throw new ConfigurationError(
    `${directory} does not hold the files of rollout ${id}: another version of them is rolled out`,
  );
}
