import { isDatabaseError, withSessionLock } from "../../provider/database/pool";
import { reportDatabaseDown, type Query } from "../database/database";
import { lookAt, type DriftParts } from "./drift";
import { forgetGone, keepDrift } from "./kept";

/** How many tenants are looked at by the same statements. */
const PAGE = 250;

/** How many tenants a look names in the log. */
const NAMED = 50;

/** How long to wait for another instance that looks: not at all, as far as PostgreSQL can. */
const WAIT_MS = 1;

/** The schedule comes each minute, and not on the second: a look that is due within this time is due. */
const EARLY_S = 30;

/** What a look at all tenants needs. */
export interface LookParts extends DriftParts {
  /** The seconds from the beginning of one look to that of the next. */
  readonly everyS: number;
}

/**
 * Looks at all tenants, where that is due and no other instance is at it, and keeps what differs. A look that was
 * cut off is begun again.
 *
 * @throws DatabaseDownError, BusyError
 */
export async function lookIfDue(parts: LookParts): Promise<void> {
  const { settings } = parts.database;
  const lock = "pulumi-tenant drift look";
  const look = withSessionLock(settings, lock, WAIT_MS, async () => {
    if (await isDue(parts.database.query, parts.everyS)) await lookAtAll(parts);
  });
  await reportDatabaseDown(look).catch((error: unknown) => {
    // lock_not_available: another instance looks.
    if (!isDatabaseError(error, "55P03")) throw error;
  });
}

/** Has the next look come within a minute, because something was done to many tenants. */
export async function lookSoon(query: Query): Promise<void> {
  await query("delete from public.service_drift_looks");
}

async function lookAtAll(parts: LookParts): Promise<void> {
  const { database, log } = parts;
  const { query } = database;
  const [now] = await query<{ began: Date }>("select now() as began");
  const began = now?.began ?? new Date();
  let [tenants, drifted] = [0, 0];
  let after: string | undefined;
  do {
    const found = await lookAt(parts, { after, limit: PAGE });
    await keepDrift(query, found, began);
    for (const { id, slug } of found.tenants) {
      const facets = found.drift.get(id)?.map(({ facet }) => facet);
      // A new migration makes all of them differ: the last line says how many.
      if (facets === undefined || (drifted += 1) > NAMED) continue;
      log.warn({ tenant: id, slug, facets }, "the tenant is not as wanted");
    }
    tenants += found.tenants.length;
    after = found.last;
  } while (after !== undefined);
  await forgetGone(query);
  await query(
    `insert into public.service_drift_looks (began_at) values ($1)
    on conflict (is_only_row) do update set began_at = excluded.began_at`,
    [began],
  );
  const words = drifted === 0 ? "all tenants are as wanted" : "tenants are not as wanted";
  log[drifted === 0 ? "info" : "warn"]({ tenants, drifted }, words);
}

async function isDue(query: Query, everyS: number): Promise<boolean> {
  const rows = await query(
    `select from public.service_drift_looks
    where began_at > now() - ($1 - least($2, $1 / 2)) * interval '1 second'`,
    [everyS, EARLY_S],
  );
  return rows.length === 0;
}
