import { setTimeout as delay } from "node:timers/promises";
import type { Query } from "../database/database";

/** How often it is looked whether operations are under way. */
const BETWEEN_LOOKS_MS = 50;

/** How long operations are let pass: a service that is never idle has to migrate its tenants too. */
const LONGEST_MS = 2_000;

/**
 * Waits while an operation is under way that began just now: its caller waits for it, and a migration beside it would
 * double the time of both. Nobody waits for the migration.
 */
export async function letOperationsPass(
  query: Query,
  { stop, longestMs = LONGEST_MS }: { readonly stop: AbortSignal; readonly longestMs?: number },
): Promise<void> {
  const beganMs = performance.now();
  while (!stop.aborted && performance.now() - beganMs < longestMs) {
    const underWay = await query(
      `select from public.operations where status in ('queued', 'running')
        and coalesce(started_at, created_at) > clock_timestamp() - $1 * interval '1 ms' limit 1`,
      [LONGEST_MS],
    );
    if (underWay.length === 0) return;
    await delay(BETWEEN_LOOKS_MS, undefined, { signal: stop }).catch(() => undefined);
  }
}
