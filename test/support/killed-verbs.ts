import { hold, type HoldPoint } from "./hold-points";
import type { KillHarness } from "./kill-harness";
import { eventually } from "./killable-service";
import { killVictim, type Victim } from "./victims";

/** What tests do that kill a verb on a tenant that is there. */
export interface KilledVerbs {
  /** Sets up a tenant. @returns its id. */
  readonly made: (slug: string) => Promise<string>;
  /** Resolves when the operation has succeeded. */
  readonly ended: (operation: string) => Promise<void>;
  /** Sends a verb and kills the victim where the run waits at the point. @returns the operation's id. */
  readonly killedAt: (
    point: HoldPoint,
    victim: Victim,
    send: () => Promise<string>,
  ) => Promise<string>;
}

/** A slug out of what a test is about. */
export const nameOf = (...words: string[]): string =>
  words.join("-").toLowerCase().replaceAll(/[ _]/g, "-");

/** The steps of such tests, on the service of a harness. */
export function killedVerbs(harness: KillHarness): KilledVerbs {
  const ended = async (operation: string) => {
    await eventually(async () => {
      const rows = await harness.database.sql(
        "select from public.operations where id = $1 and status = 'succeeded'",
        [operation],
      );
      return rows.length > 0 ? true : undefined;
    });
  };
  return {
    ended,
    async made(slug) {
      await ended(await harness.ask(slug));
      const [tenant] = await harness.database.sql<{ id: string }>(
        "select id from public.tenants where slug = $1",
        [slug],
      );
      return tenant?.id ?? "";
    },
    async killedAt(point, victim, send) {
      const held = await hold(harness.database, point);
      try {
        const operation = await send();
        await killVictim(harness, victim, await held.reached());
        return operation;
      } finally {
        await held.release();
      }
    },
  };
}
