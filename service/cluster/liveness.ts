import { hostname } from "node:os";
import type { ClientBase } from "pg";
import type { Query } from "../database/database";
import { isSoTwice } from "./two-looks";

/**
 * SQL for the key of the advisory lock that shows a worker, or an instance, alive.
 *
 * @param name SQL of type text, such as a column or `$1`; it is put into the statement as it is.
 */
export const lockOf = (name: string) => `hashtextextended('pulumi-tenant ' || ${name}, 0)`;

/** Tries to take, for the session that an instance keeps open, the lock that shows it alive. */
export const tryLock = `select pg_try_advisory_lock(${lockOf("$1")}) as had`;

/** Releases the lock of {@link tryLock}. */
export const dropLock = `select pg_advisory_unlock(${lockOf("$1")})`;

/** An instance of the service, as the others see it. */
export interface InstanceRow {
  readonly id: string;
  /** The machine's host name, which the Pulumi CLI writes into its locks too. */
  readonly machine: string;
  /** By the clock of its machine, by which the locks of the Pulumi CLI there are dated too. */
  readonly startedAt: Date;
}

/** The row of an instance that begins now, on this machine. */
export function newInstance(id: string): InstanceRow {
  return { id, machine: hostname(), startedAt: new Date() };
}

/**
 * Inserts the row by which the other instances know this one. To be called when its session holds its lock:
 * the others would take a row whose lock is free for a dead instance's.
 */
export async function register(client: ClientBase, instance: InstanceRow): Promise<void> {
  const { id, machine, startedAt } = instance;
  await client.query(
    `insert into public.service_instances (id, machine, started_at) values ($1, $2, $3)
    on conflict (id) do update set dead_since = null`,
    [id, machine, startedAt],
  );
}

/**
 * Notes that an instance ends. Its row stays for a week, as that of a dead one: a CLI that was killed while
 * the instance lived may have left a lock that names its machine, and without the row no other instance
 * could ever tell that this lock is nobody's. Where the database is down, the instance is found dead.
 */
export async function deregister(query: Query, { id }: InstanceRow): Promise<void> {
  await query("update public.service_instances set dead_since = now() where id = $1", [id]).catch(
    () => undefined,
  );
}

/**
 * The ids of the instances whose lock is free. An instance that has lost its session takes the lock again
 * within a second, so only one whose lock is free on two looks is dead.
 *
 * To be called in a transaction: the tried locks are released at its end.
 */
export async function deadInstances(query: Query): Promise<string[]> {
  const rows = await query<{ id: string }>(
    `select id from (select id from public.service_instances) as i
    where pg_try_advisory_xact_lock(${lockOf("id::text")})`,
  );
  return rows.map(({ id }) => id);
}

/**
 * Whether what an instance ran on a machine at that moment has ended: instances are known on the machine,
 * and each of them is dead, or began after the moment. Looks twice, which takes a second or two.
 *
 * @param machine The machine's host name.
 * @param moment By the clock of that machine, in whole seconds.
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
  // The moment has lost its fraction of a second, so an instance that began within that second may have been it.
  const later = moment.getTime() + 1_000;
  return (
    instances.length > 0 &&
    instances.every(({ startedAt, dead }) => dead || startedAt.getTime() > later)
  );
}

/**
 * Notes which instances are dead, and deletes the rows of those that have been dead for a week. Called at
 * each start of an instance, which is what adds a row. To be called in a transaction.
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
