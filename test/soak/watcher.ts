import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { hangReport } from "../support/hang-report";

/** How long nothing may change while an operation waits or runs, in ms. */
const LIMIT_MS = 45_000;

/** How often it is looked at, in ms. */
const PAUSE_MS = 1_000;

/** Nothing went on for too long. Its message tells what hangs. */
export class HangError extends Error {
  override readonly name = "HangError";
}

/** What is watched. */
export interface Watched {
  /** The URL of the service's database. */
  readonly url: string;
  /** The files that the instances log into, by the instances' names. */
  readonly logs: Readonly<Record<string, string>>;
  /** Default: {@link LIMIT_MS}. */
  readonly limitMs?: number;
}

/**
 * Watches for a hang until it is told to stop.
 *
 * @throws {@link HangError} when an operation waits or runs and for too long no operation and no job has
 * changed. A database that cannot be asked has not changed either.
 */
export async function watchForHang(
  { url, logs, limitMs = LIMIT_MS }: Watched,
  stopped: AbortSignal,
): Promise<void> {
  let seen: string | undefined;
  let changed = performance.now();
  while (!stopped.aborted) {
    const now = await progress(url);
    if (now !== undefined && (now === "idle" || now !== seen)) {
      seen = now;
      changed = performance.now();
    }
    const stillMs = performance.now() - changed;
    if (seen !== undefined && stillMs > limitMs) {
      const words = Object.entries(logs).map(([name, file]) => [name, textOf(file)] as const);
      const report = await hangReport(url, Object.fromEntries(words));
      throw new HangError(`nothing has changed for ${Math.round(stillMs / 1_000)} s\n${report}`);
    }
    await delay(PAUSE_MS, undefined, { signal: stopped }).catch(() => undefined);
  }
}

/** What changes with every operation and job; undefined while the database does not tell. */
async function progress(url: string): Promise<string | undefined> {
  const client = new Client({
    ...{ connectionString: url, connectionTimeoutMillis: 5_000, query_timeout: 5_000 },
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ alive: number; mark: string }>(
      `select count(*) filter (where finished_at is null)::int as alive,
        concat_ws(' ', sum(version), (select sum(id) from graphile_worker.jobs),
          (select sum(attempts) from graphile_worker.jobs)) as mark
      from public.operations`,
    );
    return rows[0]?.alive === 0 ? "idle" : rows[0]?.mark;
  } catch {
    return undefined;
  } finally {
    client.end().catch(() => undefined);
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "nothing";
  }
}
