import { pino } from "pino";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { openDatabase } from "../../service/database/database";
import { lookIfDue } from "../../service/drift/look";
import type { BenchContext } from "../context/context";
import { copyTenant } from "../many-tenants/database";
import { inARow, timed } from "../measure/samples";
import { side, type Group, type Row } from "../context/row";

const TENANTS = 1_000;

const row: Row = {
  name: "drift-look",
  what: "a look at the drift of 1,000 tenants, all as wanted, for each tenant",
  kind: "target",
  must: "at most",
  limit: 5,
  unit: "ms",
};

/** What the service does every DRIFT_CHECK seconds: it compares all tenants with what is wanted of them. */
export const driftLook: Group = {
  name: "drift-look",
  rows: [row],
  slow: true,
  async measure(context) {
    const look = lookOf(await databaseOf(context));
    context.progress("drift: looking");
    // The first one runs the migrations, to know what a schema must be like.
    const first = side([await timed(look)]);
    const later = side(await inARow(5, () => timed(look)));
    return {
      results: [
        {
          row,
          value: later.median / TENANTS,
          sides: { [`a look at ${TENANTS} tenants`]: later, "the first look": first },
        },
      ],
    };
  },
};

/** The URL of a database with one tenant that the service has set up, and copies of it. */
async function databaseOf(context: BenchContext): Promise<string> {
  context.progress(`drift: making ${TENANTS} tenants`);
  const databaseUrl = await context.databases.migrated("drift-look");
  const service = await context.startService({
    databaseUrl,
    backendUrl: `file://${context.folder("drift-look-state")}`,
  });
  const { slug } = await service.setUp();
  await service.idle();
  // It looks by itself, too.
  await service.stop();
  await copyTenant(databaseUrl, slug, TENANTS - 1);
  return databaseUrl;
}

/** A look at all tenants, which must find each of them, and none that differs. */
function lookOf(databaseUrl: string): () => Promise<void> {
  const said: string[] = [];
  const parts = {
    ...{ database: openDatabase(databaseUrl), migrationsDir: tenantMigrationsDir },
    ...{ productRoles: [], tenantRoles: false },
    log: pino({}, { write: (line: string) => void said.push(line) }),
    // One is always due.
    everyS: 0,
  };
  return async () => {
    await lookIfDue(parts);
    const last = JSON.parse(said.at(-1) ?? "{}") as { tenants?: number; drifted?: number };
    if (last.tenants === TENANTS && last.drifted === 0) return;
    throw new Error(`a look at ${TENANTS} tenants that are as wanted said ${said.at(-1) ?? ""}`);
  };
}
