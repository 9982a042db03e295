import { cpSync, writeFileSync } from "node:fs";
import path from "node:path";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import type { BenchContext } from "../context/context";
import { ratio, side, type Figure, type Group, type Row } from "../context/row";
import { copyTenant } from "../many-tenants/database";
import { copyFileStates, stackOf } from "../many-tenants/states";
import { inARow, onceASecond, timed } from "../measure/samples";
import { sql } from "../measure/sql";
import { dbmateForEach } from "../sides/dbmate";
import { runFleet, type FleetParts } from "../sides/fleet";
import { latencyOf } from "../sides/service";

const MANY = 3_000;
const FEW = 300;

/** How many set-ups are measured with a rollout, and without; and the stacks that are made ahead of each. */
const SET_UPS = 8;

const target = { kind: "target", must: "at most" } as const;
const status: Row = {
  ...{ ...target, name: "fleet-status", limit: 1, unit: "ms" },
  what: "`fleet status` of 3,000 tenants, the whole command, for each tenant",
};
const nothing: Row = {
  ...{ ...target, name: "fleet-nothing", limit: 4_000, unit: "ms" },
  what: "`fleet migrate` of 3,000 tenants that lack nothing, the whole command",
};
const oneFile: Row = {
  ...{ ...target, name: "fleet-file", limit: 0.6, unit: "times" },
  what: "a new small file in 300 tenants, against one dbmate for each, one after the other",
};
const memory: Row = {
  ...{ ...target, name: "fleet-memory", limit: 1.1, unit: "times" },
  what: "the command's resident memory after 3,000 tenants, against after 300",
};
const beside: Row = {
  ...{ ...target, name: "fleet-beside", limit: 2, unit: "times" },
  what: "POST to 201, p50, a request a second, while the service rolls out a file, against without",
};

/** Migrations of many tenants, in one database with copies of a tenant that the service has set up. */
export const fleet: Group = {
  name: "fleet",
  rows: [status, nothing, oneFile, memory, beside],
  slow: true,
  async measure(context) {
    const { parts, backendUrl, slugs } = await tenantsOf(context);
    context.progress("fleet: status, and nothing to migrate");
    const results = [
      await whole(status, () => runFleet(parts, ["status"]), MANY),
      await whole(nothing, () => runFleet(parts, ["migrate"]), 1),
      await measureFile(context, parts, slugs.slice(0, FEW)),
      await measureMemory(context, parts),
      await measureBeside(context, parts, backendUrl),
    ];
    return { results };
  },
};

/** A database with tenants of the service, and a folder with their migrations. */
async function tenantsOf(context: BenchContext) {
  context.progress(`fleet: making ${MANY} tenants`);
  const parts = {
    databaseUrl: await context.databases.migrated("fleet"),
    migrationsDir: context.folder("fleet-migrations"),
  };
  cpSync(tenantMigrationsDir, parts.migrationsDir, { recursive: true });
  const states = context.folder("fleet-state");
  const backendUrl = `file://${states}`;
  const service = await context.startService({ ...parts, backendUrl });
  const { slug } = await service.setUp();
  await service.idle();
  await service.stop();
  const copies = await copyTenant(parts.databaseUrl, slug, MANY - 1);
  copyFileStates(states, await stackOf(parts.databaseUrl, slug), copies);
  return { parts, backendUrl, slugs: [slug, ...copies] };
}

async function whole(row: Row, work: () => Promise<void>, count: number): Promise<Figure> {
  const command = side(await inARow(3, () => timed(work)));
  return { row, value: command.median / count, sides: { "the whole command": command } };
}

/** Each side has a folder of its own, so that neither is given the other's file. */
async function measureFile(
  context: BenchContext,
  parts: FleetParts,
  slugs: readonly string[],
): Promise<Figure> {
  const schemas = await schemasOf(parts.databaseUrl, slugs);
  const alone = { ...parts, migrationsDir: context.folder("fleet-dbmate") };
  cpSync(tenantMigrationsDir, alone.migrationsDir, { recursive: true });
  const samples = { fleet: [] as number[], dbmate: [] as number[] };
  const rounds = 2;
  const each = async (work: () => Promise<void>) => (await timed(work)) / slugs.length;
  for (let round = 1; round <= rounds; round++) {
    context.progress(`fleet: a file in ${slugs.length} tenants, round ${round} of ${rounds}`);
    addFile(parts, `20990101${round}`, `fleet_${round}`);
    addFile(alone, `20980101${round}`, `dbmate_${round}`);
    const only = ["--only", slugs.join(",")];
    samples.fleet.push(await each(() => runFleet(parts, ["migrate", ...only])));
    samples.dbmate.push(await each(() => dbmateForEach(alone, schemas)));
  }
  return ratio(oneFile, [
    ["fleet, a tenant", side(samples.fleet)],
    ["dbmate, a tenant", side(samples.dbmate)],
  ]);
}

async function measureMemory(context: BenchContext, parts: FleetParts): Promise<Figure> {
  context.progress(`fleet: a file in ${MANY} tenants`);
  addFile(parts, "209901019", "memory");
  const seenMb = { few: 0, many: 0 };
  await runFleet(parts, ["migrate"], (done, memoryMb) => {
    if (done < FEW) return;
    seenMb.few ||= memoryMb;
    seenMb.many = memoryMb;
  });
  return ratio(memory, [
    [`after ${MANY}`, side([seenMb.many], "MB")],
    [`after ${FEW}`, side([seenMb.few], "MB")],
  ]);
}

/** One service, idle first, and then at a rollout of its own that lasts longer than the set-ups. */
async function measureBeside(
  context: BenchContext,
  parts: FleetParts,
  backendUrl: string,
): Promise<Figure> {
  context.progress("fleet: set-ups without a rollout, and beside one");
  // Or the service would bring up the states after the rollouts before, which is no part of this one.
  await sql(parts.databaseUrl, "update public.service_tenants set is_state_behind = false");
  const service = await context.startService({ ...parts, backendUrl, spareStacks: SET_UPS });
  await onceASecond(3, service.setUp);
  await service.idle();
  const without = await onceASecond(SET_UPS, service.setUp);
  await service.idle();
  addFile(parts, "2099010199", "beside");
  await service.beginRollout();
  const besides = await onceASecond(SET_UPS, service.setUp);
  await assertRollingOut(parts.databaseUrl);
  await service.stop();
  return ratio(beside, [
    ["beside a rollout", side(besides.map(latencyOf))],
    ["without", side(without.map(latencyOf))],
  ]);
}

async function assertRollingOut(databaseUrl: string): Promise<void> {
  const [rollout] = await sql<{ status: string }>(
    databaseUrl,
    "select status from public.rollouts order by created_at desc limit 1",
  );
  if (rollout?.status === "running") return;
  throw new Error("the rollout did not last as long as the set-ups beside it");
}

async function schemasOf(databaseUrl: string, slugs: readonly string[]): Promise<string[]> {
  const rows = await sql<{ schema: string }>(
    databaseUrl,
    "select 'tenant_' || id as schema from public.tenants where slug = any($1)",
    [slugs],
  );
  return rows.map(({ schema }) => schema);
}

function addFile({ migrationsDir }: FleetParts, version: string, table: string): void {
  const text = `-- migrate:up\ncreate table ${table} (id int);\n-- migrate:down\ndrop table ${table};\n`;
  writeFileSync(path.join(migrationsDir, `${version}_${table}.sql`), text);
}
