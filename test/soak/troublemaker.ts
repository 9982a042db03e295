import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { startedBy } from "../support/killable-service";
import type { Trouble } from "./plan";
import type { World } from "./world";

/** What was done, by its name in the plan, and how often there was nothing to do it to. */
export interface Troubles {
  readonly done: Map<Trouble["does"], number>;
  readonly missed: Map<Trouble["does"], number>;
}

/** Makes one trouble after the other until it is told to stop, then waits until all is up again. */
export async function makeTrouble(
  plan: Iterator<Trouble, never>,
  world: World,
  { done, missed }: Troubles,
  stopped: AbortSignal,
): Promise<void> {
  const comingBack = new Set<Promise<void>>();
  while (!stopped.aborted) {
    const trouble = plan.next().value;
    const isCut = await delay(trouble.pause, false, { signal: stopped }).catch(() => true);
    if (isCut) break;
    const met = await make(trouble, world, (coming) => {
      comingBack.add(coming);
      void coming.finally(() => comingBack.delete(coming)).catch(() => undefined);
    });
    const counts = met ? done : missed;
    counts.set(trouble.does, (counts.get(trouble.does) ?? 0) + 1);
  }
  await Promise.all(comingBack);
}

/** @returns whether there was something to make it for. */
async function make(
  trouble: Trouble,
  world: World,
  later: (comingBack: Promise<void>) => void,
): Promise<boolean> {
  const { does, instance, away } = trouble;
  const command = commands[does];
  if (command !== undefined) return killProcess(command, trouble, world);
  switch (does) {
    case "kill an instance":
      // It comes back while other trouble is made.
      later(restart(world, instance, "SIGKILL", away));
      return true;
    case "stop an instance":
      later(restart(world, instance, "SIGTERM", away));
      return true;
    case "end a backend":
      return endBackend(trouble, world);
    default:
      await world.postgres.restart({
        how: does === "crash the database" ? "crash" : "stop",
        awayMs: away,
      });
      return true;
  }
}

/** Told by their command lines, whichever piece of the engine they are. */
const commands: Partial<Record<Trouble["does"], RegExp>> = {
  "kill a CLI": /(^|\/)pulumi (up|refresh|cancel|stack) /,
  "kill a program host": /runs\/[a-z-]*host\.js/,
  "kill a dynamic provider": /dynamic-provider/,
  "kill a postgresql plugin": /pulumi-resource-postgresql|standins\/postgresql\/main/,
  "kill a dbmate": /dbmate.* migrate/,
};

/** How long a process of the kind is waited for, in ms: some live for a moment. */
const PATIENCE = 2_500;

async function killProcess(
  command: RegExp,
  { which }: Trouble,
  { instances }: World,
): Promise<boolean> {
  const began = performance.now();
  while (performance.now() - began < PATIENCE) {
    const met = instances
      .flatMap(({ pid }) => (pid === undefined ? [] : startedBy(pid)))
      .filter((found) => command.test(found.command));
    const pid = met[which % Math.max(met.length, 1)]?.pid;
    if (pid !== undefined && kill(pid)) return true;
    await delay(15);
  }
  return false;
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
    return false;
  }
}

async function restart(
  { instances }: World,
  which: number,
  signal: "SIGTERM" | "SIGKILL",
  away: number,
): Promise<void> {
  await instances[which]?.restart(signal, away);
}

async function endBackend({ which }: Trouble, { postgres }: World): Promise<boolean> {
  const client = new Client(postgres.superuserUrl);
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rowCount } = await client.query(
      `with backends as (
        select pid, row_number() over (order by pid) - 1 as place, count(*) over () as many
        from pg_stat_activity where application_name like 'pulumi-tenant%'
      )
      select pg_terminate_backend(pid) from backends where place = $1 % many`,
      [which],
    );
    return rowCount === 1;
  } catch {
    // The database was not there.
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
