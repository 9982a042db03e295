import type { Database } from "../../database/database";
import type { RemovedStacks } from "./removed-stacks";
import { newStackName, oldestSpare, type StackRow } from "./stack-row";

/** Stacks that are made before anybody needs them. */
export interface SpareStacks {
  /** How many spare stacks there are, with those that this instance has prestarted. */
  readonly countSpare: () => Promise<number>;
  /**
   * Makes a spare stack. Nobody can take it until `make` has resolved with the text of its settings file. If
   * `make` rejects, the stack is marked to be removed.
   *
   * @param make Makes the stack in the backend.
   * @param again A name for which no stack could be made, to be tried again. Nothing is done where another
   * instance has begun to remove it.
   * @throws what `make` throws.
   */
  readonly addSpare: (make: (name: string) => Promise<string>, again?: string) => Promise<void>;
  /** Marks a spare stack as prestarted by this instance; undefined where there is none. */
  readonly reserve: () => Promise<StackRow | undefined>;
  /** Makes a stack that this instance has prestarted spare again. */
  readonly returnPrestarted: (name: string) => Promise<void>;
  /** Makes all stacks that this instance has prestarted spare again, except the ones that it needs. */
  readonly returnAllBut: (needed: readonly string[]) => Promise<void>;
}

/**
 * @param instance The id of this instance.
 * @param giveUp Marks a stack as to be removed.
 */
export function spareStacksOf(
  { query }: Database,
  instance: string,
  giveUp: RemovedStacks["giveUp"],
): SpareStacks {
  return {
    async countSpare() {
      const [row] = await query<{ count: number }>(
        `select count(*)::int as count from public.service_stacks
        where status <> 'taken' and (status = 'spare' or (status = 'prestarted' and instance = $1))`,
        [instance],
      );
      return row?.count ?? 0;
    },
    async addSpare(make, again) {
      const name = again ?? newStackName();
      const mine = await query(
        `insert into public.service_stacks as s (name, status, instance) values ($1, 'making', $2)
        on conflict (name) do update set status = 'making'
        where s.status = 'removing' and s.instance = $2 returning name`,
        [name, instance],
      );
      if (mine.length === 0) return;
      try {
        const settings = await make(name);
        await query(
          `update public.service_stacks set status = 'spare', settings = $2, instance = null
          where name = $1 and status = 'making'`,
          [name, settings],
        );
      } catch (error) {
        await giveUp(name);
        throw error;
      }
    },
    async reserve() {
      const [row] = await query<StackRow>(
        `update public.service_stacks set status = 'prestarted', instance = $1 where ${oldestSpare}`,
        [instance],
      );
      return row;
    },
    async returnPrestarted(name) {
      await query(
        `update public.service_stacks set status = 'spare', instance = null
        where name = $1 and status = 'prestarted' and instance = $2`,
        [name, instance],
      );
    },
    async returnAllBut(needed) {
      await query(
        `update public.service_stacks set status = 'spare', instance = null
        where status = 'prestarted' and instance = $1 and name <> all($2)`,
        [instance, needed],
      );
    },
  };
}
