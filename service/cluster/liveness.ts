import { hostname } from "node:os";
import type { ClientBase } from "pg";
import type { Query } from "../database/database";
import { isSoTwice } from "./two-looks";

/** The SQL of the key of the lock that shows a worker, or an instance, alive. */
export const lockOf = (name: string) => `hashtextextended('pulumi-tenant ' || ${name}, 0)`;

/** The statement that takes, on the connection an instance keeps, the lock that shows it alive. */
export const tryLock = `select pg_try_advisory_lock(${lockOf("$1")}) as had`;

/** The statement that gives it back. */
export const dropLock = `select pg_advisory_unlock(${lockOf("$1")})`;

/** An instance of the service, as the others see it. */
export interface InstanceRow {
  readonly id: string;
  /** What the machine calls itself, here and in the locks of the Pulumi CLI. */
  readonly machine: string;
  /** By the clock of its machine, which dates the locks there too. */
  readonly startedAt: Date;
}

/** The row of an instance that begins now, on this machine. */
export function newInstance(id: string): InstanceRow {
  return { id, machine: hostname(), startedAt: new Date() };
}

/**
 * Makes the instance known by its row. Its session has the lock that shows it alive already, so that no
 * row of a living instance is without its lock.
 */
export async function register(client: ClientBase, instance: InstanceRow): Promise<void> {
  const { id, machine, startedAt } = instance;
  await client.query(
    `insert into public.service_instances (id, machine, started_at) values ($1, $2, $3)
    on conflict (id) do update set dead_since = null`,
    [id, machine, startedAt],
  );
}

/** Removes the row of an instance that ends; one whose database is down is found dead instead. */
export async function deregister(query: Query, { id }: InstanceRow): Promise<void> {
  await query("delete from public.service_instances where id = $1", [id]).catch(() => undefined);
}

/**
 * The ids of the instances whose lock is free. One that has lost its session takes the lock again
 * within a second, so only one that is free on two looks is dead.
 */
export async function deadInstances(query: Query): Promise<string[]> {
  const rows = await query<{ id: string }>(
    `select id from (select id from public.service_instances) as i
    where pg_try_advisory_xact_lock(${lockOf("id::text")})`,
  );
  return rows.map(({ id }) => id);
}

/**
 * Whether what ran on a machine at a moment is over, as far as it was an instance's: there was one,
 * and those that live there now began later. Looks twice, which takes a moment.
 *
 * @param moment By the clock of that machine, to the second.
 * @throws DatabaseDownError
 */
export async function isOver(query: Query, machine: string, moment: Date): Promise<boolean> {
  return isSoTwice(() => looksOver(query, machine, moment));
}

async function looksOver(query: Query, machine: string, moment: Date): Promise<boolean> {
  const instances = await query<{ startedAt: Date; dead: boolean }>(
    `select started_at as "startedAt", pg_try_advisory_xact_lock(${lockOf("id::text")}) as dead
    from public.service_instances where machine = $1`,
    [machine],
  );
  // What happened in a second is dated by that second's beginning.
  const later = moment.getTime() + 1_000;
  return (
    instances.length > 0 &&
    instances.every(({ startedAt, dead }) => dead || startedAt.getTime() > later)
  );
}

/**
 * Notes which instances are dead, and removes the rows of those that have been so for a week. Each
 * start does it: only starts make rows.
 */
export async function pruneInstances(query: Query): Promise<void> {
  const dead = await deadInstances(query);
  await query(
    `delete from public.service_instances
    where id = any($1) and dead_since < now() - interval '7 days'`,
    [dead],
  );
  await query(
    `update public.service_instances set dead_since = now()
    where id = any($1) and dead_since is null`,
    [dead],
  );
}
