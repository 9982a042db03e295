import { randomBytes } from "node:crypto";
import { lockOf } from "../cluster/liveness";
import type { Database } from "../database/database";
import { TenantUnknownError } from "../system/errors";

/** A stack of the service, and its settings file, which the CLI keeps outside of the state. */
export interface StackRow {
  readonly name: string;
  /** The text of the settings file; null where the CLI has to write it. */
  readonly settings: string | null;
}

/**
 * The service's stacks, and which tenant has which. A stack is being made, spare (anybody may take it),
 * prestarted (an instance holds it for a run that waits), taken (by a tenant), or to be removed. All methods
 * reject with DatabaseDownError when the database is down.
 */
export interface Stacks {
  /** The stack that declares the tenant. */
  readonly find: (tenantId: string) => Promise<StackRow | undefined>;
  /** Gives the tenant a stack that this instance has prestarted; `false` when it does not hold the stack any more. */
  readonly takePrestarted: (name: string, tenantId: string) => Promise<boolean>;
  /** Gives the tenant a spare stack, if there is one. */
  readonly takeSpare: (tenantId: string) => Promise<StackRow | undefined>;
  /**
   * Gives the tenant a new row, whose stack is still to be made in the backend.
   *
   * @throws {@link TenantUnknownError} where the service does not declare the tenant any more.
   */
  readonly takeNew: (tenantId: string) => Promise<StackRow>;
  /** Stores the settings file that the CLI wrote when it made a tenant's stack. */
  readonly keepSettings: (name: string, settings: string) => Promise<void>;
  /**
   * Gives a tenant's stack that cannot be made in the backend another name. Whatever the backend has under the
   * old name is marked to be removed.
   *
   * @returns the new name.
   */
  readonly rename: (name: string) => Promise<string>;
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

/** @param instance The id of this instance. */
export function stacksOf({ query }: Database, instance: string): Stacks {
  async function giveUp(name: string): Promise<void> {
    await query(
      `update public.service_stacks set status = 'removing', instance = $2
      where name = $1 and status in ('making', 'prestarted') and instance = $2`,
      [name, instance],
    );
  }

  async function forget(name: string): Promise<void> {
    await query("delete from public.service_stacks where name = $1 and status = 'removing'", [
      name,
    ]);
  }

  return {
    async find(tenantId) {
      const [row] = await query<StackRow>(
        `select s.name, s.settings
        from public.service_tenants t join public.service_stacks s on s.name = t.stack
        where t.id = $1`,
        [tenantId],
      );
      return row;
    },
    async takePrestarted(name, tenantId) {
      const rows = await query(
        `with ${tenant("$3")}, taken as (
          update public.service_stacks set status = 'taken', instance = null
          where name = $1 and status = 'prestarted' and instance = $2
            and exists (select from tenant) returning name
        ) ${given}`,
        [name, instance, tenantId],
      );
      return rows.length > 0;
    },
    async takeSpare(tenantId) {
      const [row] = await query<StackRow>(
        `with ${tenant("$1")}, taken as (
          update public.service_stacks set status = 'taken'
          where exists (select from tenant) and ${oldestSpare}
        ) ${given}`,
        [tenantId],
      );
      return row;
    },
    async takeNew(tenantId) {
      const name = newName();
      const rows = await query(
        `with ${tenant("$2")}, taken as (
          insert into public.service_stacks (name, status) select $1, 'taken' from tenant
          returning name
        ) ${given}`,
        [name, tenantId],
      );
      if (rows.length === 0) throw new TenantUnknownError();
      return { name, settings: null };
    },
    async keepSettings(name, settings) {
      await query("update public.service_stacks set settings = $2 where name = $1", [
        ...[name, settings],
      ]);
    },
    async rename(name) {
      const other = newName();
      await query(
        `with renamed as (
          update public.service_stacks set name = $2, settings = null
          where name = $1 and status = 'taken' returning name
        )
        insert into public.service_stacks (name, status, instance)
        select $1, 'removing', $3 from renamed`,
        [name, other, instance],
      );
      return other;
    },
    async countSpare() {
      const [row] = await query<{ count: number }>(
        `select count(*)::int as count from public.service_stacks
        where status <> 'taken' and (status = 'spare' or (status = 'prestarted' and instance = $1))`,
        [instance],
      );
      return row?.count ?? 0;
    },
    async addSpare(make, again) {
      const name = again ?? newName();
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
    giveUp,
    async withOther(use) {
      const name = newName();
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

/** `skip locked`: of two instances that take a spare stack at once, each gets another one, or one gets none. */
const oldestSpare = `name = (
  select name from public.service_stacks where status <> 'taken' and status = 'spare'
  order by created_at limit 1 for update skip locked
) returning name, settings`;

/**
 * The beginning of a statement that gives a tenant a stack: locks the tenant's declaration. Where that is gone,
 * or goes just now, no stack may be taken: nobody would ever give it back.
 *
 * @param id A parameter, such as `$1`.
 */
function tenant(id: string): string {
  return `tenant as (select id from public.service_tenants where id = ${id} for update)`;
}

/** The end of such a statement, whose `taken` is the stack: makes it the tenant's. */
const given = `update public.service_tenants as t set stack = taken.name, updated_at = now()
  from taken, tenant where t.id = tenant.id returning taken.*`;

function newName(): string {
  return `tenant-${randomBytes(8).toString("hex")}`;
}
