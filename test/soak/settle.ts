import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { startedBy } from "../support/killable-service";
import type { Check } from "./check";
import { checkEach } from "./check";
import type { World } from "./world";

/** How long what was accepted may take to end once nobody asks or kills any more, in ms. */
const PATIENCE = 120_000;

/**
 * Waits until both instances serve, nothing waits or runs, and what was given up is removed.
 *
 * @returns after how many ms that was so; undefined when it never was.
 */
export async function settle({ instances, postgres }: World): Promise<number | undefined> {
  const began = performance.now();
  while (performance.now() - began < PATIENCE) {
    const left = await busy(postgres.url);
    const areUp = instances.every(({ url }) => url !== undefined);
    if (areUp && left === 0) return Math.round(performance.now() - began);
    await delay(200);
  }
  return undefined;
}

async function busy(url: string): Promise<number | undefined> {
  const client = new Client(url);
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ left: number }>(
      `select (select count(*) from public.operations where finished_at is null)::int
        + (select count(*) from graphile_worker.jobs)::int
        + (select count(*) from public.service_stacks where status = 'removing')::int as left`,
    );
    return rows[0]?.left;
  } catch {
    // It is still coming up, or an instance makes its tables.
    return undefined;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** That nothing is left of processes that are gone: those which an instance was before. */
export function checkLeftovers({ instances, archives }: World): Check {
  const old = instances.flatMap(({ pids, pid }) => pids.filter((each) => each !== pid));
  const gone = [...old, ...archives.commands.flatMap(({ pid }) => pid ?? [])];
  return checkEach("a dead instance has left no process", gone, (pid) => {
    const left = startedBy(pid).map(({ command }) => command.slice(0, 60));
    return left.length > 0 && `${left.length} of process ${pid}: ${left.join(" | ")}`;
  });
}
