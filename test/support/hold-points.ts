import { Client } from "pg";
import { eventually } from "./killable-service";
import type { ServiceDatabase } from "./service-database";

/**
 * Where PostgreSQL can be made to wait in a set-up. `before` a statement nothing of it is done; `in`
 * it all is done, and not yet committed.
 */
export type HoldPoint =
  | "before running"
  | "before succeeded"
  | `${"before" | "in"} ${"tenants" | "users" | "tenant_users" | "create schema"}`
  | `${"before" | "in"} ${"change of slug" | "change of owner"}`
  | `${"before" | "in"} ${"end of tenant_users" | "end of tenants"}`
  | `${"before" | "in"} becoming ${"suspended" | "deleted" | "provisioning" | "active"}`
  | "before drop schema"
  | "before create table"
  | "in create table routes";

/** A database that has the points. */
type Held = Pick<ServiceDatabase, "asSuperuser" | "url">;

/** Everybody who comes to a point waits there until it is let go. */
export interface Hold {
  /** Resolves with the process id of the PostgreSQL backend that waits. */
  readonly reached: () => Promise<number>;
  readonly release: () => Promise<void>;
}

/** Builds the points into the test's database. They cost nobody anything until one is held. */
export async function addHoldPoints(database: Held): Promise<void> {
  for (const statement of points) await database.asSuperuser(statement);
}

/** Holds a point: from now on whoever comes there waits. */
export async function hold(database: Pick<Held, "url">, point: HoldPoint): Promise<Hold> {
  const holder = new Client(database.url());
  // A server that is killed lets go too.
  holder.on("error", () => undefined);
  await holder.connect();
  await holder.query("select pg_advisory_lock(hashtextextended('hold ' || $1, 0))", [point]);
  const waiting =
    "select pid from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid))";
  return {
    reached: () =>
      eventually(async () => {
        const { rows } = await holder.query<{ pid: number }>(waiting);
        return rows[0]?.pid;
      }),
    release: () => holder.end().catch(() => undefined),
  };
}

const points = [
  `create function public.hold(point text) returns void language sql as $$
    select pg_advisory_xact_lock_shared(hashtextextended('hold ' || point, 0))
  $$`,
  `create function public.hold_row() returns trigger language plpgsql as $$
  begin
    perform public.hold(
      case tg_when when 'BEFORE' then 'before ' else 'in ' end || coalesce(tg_argv[0], tg_table_name)
    );
    return case tg_op when 'DELETE' then old else new end;
  end $$`,
  ...["tenants", "users", "tenant_users"].flatMap((table) => [
    `create trigger hold_before before insert on public.${table}
      for each row execute function public.hold_row()`,
    `create trigger hold_in after insert on public.${table}
      for each row execute function public.hold_row()`,
  ]),
  ...["before", "after"].flatMap((when) =>
    ["slug", "owner"].map(
      (column) =>
        `create trigger hold_${column}_${when} ${when} update on public.tenants for each row
          when (new.${column} is distinct from old.${column})
          execute function public.hold_row('change of ${column}')`,
    ),
  ),
  ...["before", "after"].flatMap((when) => [
    ...["suspended", "deleted", "provisioning", "active"].map(
      (status) =>
        `create trigger hold_${status}_${when} ${when} update on public.tenants for each row
          when (new.status = '${status}' and old.status <> '${status}')
          execute function public.hold_row('becoming ${status}')`,
    ),
    ...["tenants", "tenant_users"].map(
      (table) =>
        `create trigger hold_end_${when} ${when} delete on public.${table}
          for each row execute function public.hold_row('end of ${table}')`,
    ),
  ]),
  ...["running", "succeeded"].map(
    (status) =>
      `create trigger hold_${status} before update on public.operations for each row
        when (new.status = '${status}' and old.status <> '${status}')
        execute function public.hold_row('${status}')`,
  ),
  // Both ends of a command; what it makes is known at its end only.
  `create function public.hold_command() returns event_trigger language plpgsql as $$
  declare made text;
  begin
    if current_setting('search_path') not like '%tenant\\_%' and tg_tag not in ('CREATE SCHEMA', 'DROP SCHEMA') then return; end if;
    if tg_event = 'ddl_command_start' then
      perform public.hold('before ' || lower(tg_tag));
      return;
    end if;
    for made in select object_identity from pg_event_trigger_ddl_commands() loop
      perform public.hold('in ' || lower(tg_tag) || case
        when tg_tag = 'CREATE TABLE' then ' ' || split_part(made, '.', 2) else '' end);
    end loop;
  end $$`,
  ...["start", "end"].map(
    (end) =>
      `create event trigger hold_${end} on ddl_command_${end}
        when tag in ('CREATE SCHEMA', 'CREATE TABLE', 'DROP SCHEMA') execute function public.hold_command()`,
  ),
];
