import type { Logger } from "pino";
import type { Database, Query } from "../database/database";
import { DomainError } from "../system/errors";
import { kinds } from "./kinds";
import type { Operations } from "./operations";

/** The pause after the first purge of a tenant that failed, as an interval of SQL; it doubles with each failure. */
const PAUSE = "interval '1 minute'";

/** The longest pause, in {@link PAUSE}s: a day. */
const LONGEST = 1_440;

/**
 * Has the tenant purged whose time came first, unless a purge is under way: of several instances, and of many
 * tenants, one at a time. A purge that failed is tried again after longer and longer pauses, also where it was
 * a person who asked for it and it stopped half way.
 *
 * @throws DatabaseDownError
 */
export async function purgeDue(parts: {
  readonly database: Database;
  readonly operations: Pick<Operations, "accept">;
  readonly log: Logger;
}): Promise<void> {
  const { database, operations, log } = parts;
  const due = await firstDue(database.query);
  if (due === undefined) return;
  const { id: tenantId, slug } = due;
  try {
    const asking = { kind: kinds.purge, tenantId, request: { slug }, asker: itself };
    const operation = await operations.accept(asking);
    log.info(
      { operation: operation?.id, tenant: tenantId, slug },
      "its time has come: it is purged",
    );
  } catch (error) {
    // Mostly somebody was faster: the tenant is being restored, or purged, or is gone. The next look is soon.
    if (!(error instanceof DomainError)) throw error;
    log.info({ tenant: tenantId, slug }, `not purged: ${error.message}`);
  }
}

/** Nobody asked for it by a token. */
const itself = { subject: null, isSuperAdmin: true };

async function firstDue(query: Query): Promise<{ id: string; slug: string } | undefined> {
  const [due] = await query<{ id: string; slug: string }>(
    `select w.id, w.slug from public.service_tenants w
    cross join lateral (
      select count(*)::int as times, max(finished_at) as last from public.operations o
      where o.tenant_id = w.id and o.kind = 'purge' and o.status = 'failed'
    ) failed
    where w.status in ('deleted', 'purged') and (w.purge_at is null or w.purge_at <= now())
      and (times = 0 or last + least(power(2, least(times - 1, 20)), ${LONGEST}) * ${PAUSE} <= now())
      and not exists (
        select from public.operations where kind = 'purge' and status in ('queued', 'running')
      )
    order by w.purge_at nulls first, w.id limit 1`,
  );
  return due;
}
