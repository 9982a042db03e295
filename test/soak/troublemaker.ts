import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import type { BadNetwork } from "../support/bad-network";
import { startedBy } from "../support/killable-service";
import type { Trouble, TroubleName } from "./trouble-plan";
import type { World } from "./world";

/** What was done, by its name in the plan, and how often there was nothing to do it to. */
export interface Troubles {
  readonly done: Map<TroubleName, number>;
  readonly missed: Map<TroubleName, number>;
}

/** Makes one trouble after the other until it is told to stop, then waits until all is up again. */
export async function makeTrouble(
  plan: Iterator<Trouble, never>,
  world: World,
  { done, missed }: Troubles,
  stopped: AbortSignal,
): Promise<void> {
  const comingBack = new Set<Promise<unknown>>();
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

/** How long others take to notice, in ms: they hold for dead whose lock is free on two looks. */
const NOTICED_AFTER = 4_000;

/** @returns whether there was something to make it for. */
async function make(
  trouble: Trouble,
  world: World,
  later: (comingBack: Promise<unknown>) => void,
): Promise<boolean> {
  const { does, instance, away } = trouble;
  const network = world.networks[instance];
  switch (does) {
    case "kill an instance":
      // It comes back while other trouble is made.
      later(restart(world, instance, "SIGKILL", away));
      return true;
    case "stop an instance":
      later(restart(world, instance, "SIGTERM", away));
      return true;
    case "pause an instance":
    case "pause an instance that loses its sessions": {
      const paused = world.instances[instance]?.pause(NOTICED_AFTER + away);
      later(Promise.resolve(paused));
      if (does === "pause an instance that loses its sessions") network?.cut();
      return true;
    }
    case "silence the connections of an instance":
      // New ones work at once, as behind a firewall that forgot the old; or when all is over.
      network?.silence(trouble.which % 2 === 0 ? "those there are" : "all");
      later(delay(NOTICED_AFTER + away).then(() => healed(network)));
      return true;
    case "reset the connections of an instance":
      network?.resetClients();
      later(delay(NOTICED_AFTER + away).then(() => healed(network)));
      return true;
    case "take the state backend away":
      world.backend.takeAway();
      later(delay(NOTICED_AFTER + away).then(() => world.backend.bringBack()));
      return true;
    case "pause a CLI": {
      const pid = await findProcess(trouble, world);
      if (pid === undefined || !signal(pid, "SIGSTOP")) return false;
      later(delay(NOTICED_AFTER + away).then(() => signal(pid, "SIGCONT")));
      return true;
    }
    case "end a backend":
      return endBackend(trouble, world);
    case "stop the database":
    case "crash the database":
      await world.postgres.restart({
        how: does === "crash the database" ? "crash" : "stop",
        awayMs: away,
      });
      return true;
    default: {
      const pid = await findProcess(trouble, world);
      return pid !== undefined && signal(pid, "SIGKILL");
    }
  }
}

function healed(network: BadNetwork | undefined): void {
  network?.heal();
  network?.endSilent();
}

const cli = /(^|\/)pulumi (up|refresh|cancel|stack) /;

/** What a process is told by that a trouble is about: its command line. */
export const commands: Partial<Record<TroubleName, RegExp>> = {
  "kill a CLI": cli,
  "pause a CLI": cli,
  "kill a program host": /service\/pulumi\/host\.js/,
  "kill a dynamic provider": /dynamic-provider/,
  "kill a postgresql plugin": /pulumi-resource-postgresql|standins\/postgresql\/main/,
  "kill a dbmate": /dbmate.* migrate/,
};

/** How long a process of the kind is waited for, in ms: some live for a moment. */
const PATIENCE = 2_500;

async function findProcess(
  { does, which }: Trouble,
  { instances }: World,
): Promise<number | undefined> {
  const began = performance.now();
  while (performance.now() - began < PATIENCE) {
    const met = instances
      .flatMap(({ pid }) => (pid === undefined ? [] : startedBy(pid)))
      .filter(({ command }) => commands[does]?.test(command));
    const found = met[which % Math.max(met.length, 1)];
    if (found !== undefined) return found.pid;
    await delay(15);
  }
  return undefined;
}

/** @returns whether the process was there. */
function signal(pid: number, name: "SIGKILL" | "SIGSTOP" | "SIGCONT"): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    // It ended by itself.
    return false;
  }
}

async function restart(
  { instances }: World,
  which: number,
  by: "SIGTERM" | "SIGKILL",
  away: number,
): Promise<void> {
  await instances[which]?.restart(by, away);
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
