import { lockOf } from "../../cluster/liveness";
import type { Database } from "../../database/database";
import { newStackName, type StackRow } from "./stack-row";

/** Stacks that nobody needs any more, or that were never finished. */
export interface RemovedStacks {
  /** The ids of instances that hold stacks and whose lock is free; one whose lock is free on two looks is dead. */
  readonly suspects: () => Promise<string[]>;
  /**
   * Marks as to be removed, by this instance: all stacks that dead instances hold, those that this one could
   * not use or did not finish making, and those to be removed that nobody holds. Must not be called while
   * this instance makes a stack: that one would be removed.
   *
   * @returns the names of the stacks to remove.
   */
  readonly takeLost: (dead: readonly string[]) => Promise<string[]>;
  /** Marks a stack that this instance is making, or has prestarted, as to be removed. */
  readonly giveUp: (name: string) => Promise<void>;
  /**
   * Lends the name of a stack that is to exist only while `use` runs. Its row says from before then that it is to
   * be removed, by this instance: so nothing is left of it in the backend where `use` rejects or this process dies.
   *
   * @throws what `use` throws.
   */
  readonly withOther: (use: (name: string) => Promise<void>) => Promise<void>;
  /** Deletes the row of a stack that was removed from the backend. */
  readonly forget: (name: string) => Promise<void>;
}

/** @param instance The id of this instance, which removes them. */
export function removedStacksOf({ query }: Database, instance: string): RemovedStacks {
  async function forget(name: string): Promise<void> {
    await query("delete from public.service_stacks where name = $1 and status = 'removing'", [
      name,
    ]);
  }

  return {
    async suspects() {
      const rows = await query<{ holder: string }>(
        `select holder from (
          select distinct instance::text as holder from public.service_stacks
          where status <> 'taken' and instance <> $1
        ) as holders
        where pg_try_advisory_xact_lock(${lockOf("holder")})`,
        [instance],
      );
      return rows.map(({ holder }) => holder);
    },
    async takeLost(dead) {
      const rows = await query<StackRow>(
        `update public.service_stacks set status = 'removing', instance = $1
        where status <> 'taken'
          and (instance = any($2) or (instance = $1 and status in ('making', 'removing'))
            or (instance is null and status = 'removing'))
        returning name`,
        [instance, dead],
      );
      return rows.map(({ name }) => name);
    },
    async giveUp(name: string): Promise<void> {
      await query(
        `update public.service_stacks set status = 'removing', instance = $2
        where name = $1 and status in ('making', 'prestarted') and instance = $2`,
        [name, instance],
      );
    },
    async withOther(use) {
      const name = newStackName();
      await query(
        "insert into public.service_stacks (name, status, instance) values ($1, 'removing', $2)",
        [name, instance],
      );
      await use(name);
      await forget(name);
    },
    forget,
  };
}
