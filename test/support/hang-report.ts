import { Client } from "pg";
import { lockOf } from "../../service/cluster/liveness";
import { tenantLock } from "../../provider/database/tenant-lock";

/** How many of the last lines of a log are told. */
const LINES = 15;

/**
 * What a service that seems to hang is at: operations that are not over, jobs, advisory locks and who
 * holds them or waits for them, sessions, and the last lines of logs.
 *
 * @param url Of the service's database, as the role that the service works as.
 * @param logs What the instances logged, by their names.
 */
export async function hangReport(
  url: string,
  logs: Readonly<Record<string, string>> = {},
): Promise<string> {
  const tails = Object.entries(logs).map(([name, text]) =>
    section(`last lines of ${name}`, text.trimEnd().split("\n").slice(-LINES)),
  );
  return [...(await readDatabase(url)), ...tails].join("\n");
}

async function readDatabase(url: string): Promise<string[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query("set statement_timeout = '5s'");
    const sections: string[] = [];
    for (const [title, statement] of Object.entries(looks)) {
      const { rows } = await client.query<Record<string, unknown>>(statement);
      const lines = rows.map((row) => JSON.stringify(row));
      sections.push(section(title, lines));
    }
    return sections;
  } catch (error) {
    return [section("the database", [`does not tell: ${String(error)}`])];
  } finally {
    client.end().catch(() => undefined);
  }
}

function section(title: string, lines: readonly string[]): string {
  return [`${title}:`, ...(lines.length === 0 ? ["none"] : lines).map((line) => `  ${line}`)].join(
    "\n",
  );
}

const seconds = (moment: string) => `round(extract(epoch from now() - ${moment}))::int`;

const names = `
  select 'instance ' || id as name, ${lockOf("id::text")} as key from public.service_instances
  union select 'worker ' || locked_by, ${lockOf("locked_by")} from graphile_worker.jobs
  union select 'tenant ' || tenant_id, hashtextextended('${tenantLock("")}' || tenant_id, 0)
    from public.operations where finished_at is null`;

const looks = {
  "operations that are not over": `
    select id, kind, tenant_id as "tenantId", slug, status, attempts, retries, ${seconds("created_at")} as "ageS",
      ${seconds("updated_at")} as "unchangedS",
      (select string_agg(s ->> 'name', ',') from jsonb_array_elements(steps) s
        where s ->> 'status' = 'running') as step
    from public.operations where finished_at is null order by created_at`,
  jobs: `
    select id, key, attempts, locked_by as "lockedBy", ${seconds("locked_at")} as "lockedS",
      -${seconds("run_at")} as "dueInS", left(last_error, 200) as "lastError"
    from graphile_worker.jobs order by id`,
  "advisory locks": `
    select coalesce(name, l.classid || '/' || l.objid) as name, pid, granted
    from pg_locks l
    left join (${names}) as n on n.key = (l.classid::bigint << 32 | l.objid::bigint)
    where locktype = 'advisory' and l.database = (
      select oid from pg_database where datname = current_database()
    )
    order by 1`,
  sessions: `
    select pid, application_name as name, state, wait_event as "waitsFor",
      pg_blocking_pids(pid) as "blockedBy", ${seconds("state_change")} as "sinceS",
      left(regexp_replace(query, '\\s+', ' ', 'g'), 120) as query
    from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() order by pid`,
};
