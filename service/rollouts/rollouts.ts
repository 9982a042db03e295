import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { FleetError } from "../../fleet/errors";
import { beginRollout } from "../../fleet/rollout/begin";
import type { RolloutOptions } from "../../fleet/rollout/rollout";
import { resumeRollout, stopRollout } from "../../fleet/rollout/steer";
import { MigrationFailedError } from "../../provider/contract/errors";
import { readMigrations } from "../../provider/database/migrations";
import { reportDatabaseDown, type Database } from "../database/database";
import type { Page, Place } from "../database/pages";
import { RolloutRefusedError } from "../system/errors";
import { findRollout, listRollouts, type RolloutDetails, type RolloutView } from "./read";

/** How often a rollout that somebody follows is read. */
const BETWEEN_LOOKS_MS = 500;

/** What the HTTP routes can do with rollouts. */
export interface Rollouts {
  /**
   * Begins one, which the instances of the service run.
   *
   * @param askedBy The `sub` of who asks for it.
   * @returns its id; undefined where no tenant lacks a file.
   * @throws RolloutRefusedError where another has not ended, a file was edited, or a slug is no tenant's.
   */
  readonly begin: (options: RolloutOptions, askedBy: string | null) => Promise<string | undefined>;
  /** Lets one go on, by the instances of the service, also where a command had begun it. @throws RolloutRefusedError */
  readonly resume: (id: string) => Promise<void>;
  /** Lets whoever runs it end what is at work, and take no other tenant. @throws RolloutRefusedError */
  readonly stop: (id: string, status: "paused" | "cancelled") => Promise<void>;
  readonly find: (id: string) => Promise<RolloutDetails | undefined>;
  /** A part of all rollouts, the newest first. */
  readonly list: (part: {
    readonly limit: number;
    readonly after: Place | undefined;
  }) => Promise<Page<RolloutView>>;
  /** Yields how far a rollout is, at each change, until it is not running any more, or the signal aborts. */
  readonly follow: (id: string, signal: AbortSignal) => AsyncIterable<RolloutDetails>;
}

/**
 * Serves the rollouts of a database.
 *
 * @param migrationsDir The folder with the files that are rolled out.
 * @param begun Called when there is one to be run.
 */
export function serveRollouts(
  { settings, query }: Database,
  migrationsDir: string,
  begun: () => void,
): Rollouts {
  return {
    async begin(options, askedBy) {
      const files = readMigrations(migrationsDir);
      const id = await sayRefused(beginRollout(settings, options, files, { askedBy }));
      if (id !== undefined) begun();
      return id;
    },
    async resume(id) {
      const files = readMigrations(migrationsDir);
      await sayRefused(resumeRollout(settings, id, files, { isServed: true }));
      begun();
    },
    stop: (id, status) => sayRefused(stopRollout(settings, id, status)),
    find: (id) => findRollout(query, id),
    list: (part) => listRollouts(query, part),
    async *follow(id, signal) {
      let seen: RolloutDetails | undefined;
      while (!signal.aborted) {
        const found = await findRollout(query, id);
        if (found === undefined) return;
        if (!isDeepStrictEqual(found, seen)) yield found;
        if (found.status !== "running") return;
        seen = found;
        await delay(BETWEEN_LOOKS_MS, undefined, { signal }).catch(() => undefined);
      }
    },
  };
}

/** @throws RolloutRefusedError where what is there is in the way; DatabaseDownError */
function sayRefused<T>(work: Promise<T>): Promise<T> {
  return reportDatabaseDown(
    work.catch((error: unknown) => {
      const isRefused = error instanceof FleetError || error instanceof MigrationFailedError;
      throw isRefused ? new RolloutRefusedError(error.message, { cause: error }) : error;
    }),
  );
}
