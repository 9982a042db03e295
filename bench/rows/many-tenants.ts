import type { BenchContext } from "../context/context";
import { copyTenant } from "../many-tenants/database";
import { copyFileStates, copyPostgresStates, stackOf } from "../many-tenants/states";
import { onceASecond, together } from "../measure/samples";
import { ratio, side, type Figure, type Group, type Row } from "../context/row";
import { latencyOf, type Service } from "../sides/service";
import { sql } from "../measure/sql";

const FEW = 10;
const MANY = 3_000;

/**
 * More than the set-ups between two waits for idleness. The default, twenty, would take half a minute to
 * make after each.
 */
const SPARE_STACKS = 8;

const rowOf = (backend: string): Row => ({
  name: `tenants-3000-${backend}`,
  what: `p50 with 3,000 tenants there, against p50 with 10 (${backend} backend)`,
  kind: "target",
  must: "at most",
  limit: 1.3,
  unit: "times",
});

const rows = { file: rowOf("file"), postgres: rowOf("postgres") };

/** Two services side by side, whose databases and backends differ in how many tenants they hold. */
export const manyTenants: Group = {
  name: "many-tenants",
  rows: [rows.file, rows.postgres],
  slow: true,
  async measure(context) {
    const databases = {
      few: await context.databases.migrated("few"),
      many: await context.databases.migrated("many"),
    };
    const start = async (backendUrl: { few: string; many: string }) => {
      const service = (side: "few" | "many") =>
        context.startService({
          databaseUrl: databases[side],
          backendUrl: backendUrl[side],
          spareStacks: SPARE_STACKS,
        });
      const few = await service("few");
      const many = await service("many");
      await together(FEW, 4, few.setUp);
      const { slug } = await many.setUp();
      return { few, many, slug, stack: await stackOf(databases.many, slug) };
    };

    context.progress(`${MANY} tenants: making them, states in files`);
    const folders = { few: context.folder("few-state"), many: context.folder("many-state") };
    const files = await start({ few: `file://${folders.few}`, many: `file://${folders.many}` });
    const slugs = await copyTenant(databases.many, files.slug, MANY);
    copyFileStates(folders.many, files.stack, slugs);
    const byFile = await compare(rows.file, context, files);

    context.progress(`${MANY} tenants: states in PostgreSQL`);
    // The spare stacks that the services before have made are in the other backend.
    for (const url of Object.values(databases)) {
      await sql(url, "delete from public.service_stacks where status <> 'taken'");
    }
    const states = {
      few: await context.databases.empty("few-state"),
      many: await context.databases.empty("many-state"),
    };
    const inPostgres = await start(states);
    await copyPostgresStates(states.many, inPostgres.stack, slugs);
    const byPostgres = await compare(rows.postgres, context, inPostgres);
    return { results: [byFile, byPostgres] };
  },
};

async function compare(
  row: Row,
  context: BenchContext,
  { few, many }: { few: Service; many: Service },
): Promise<Figure> {
  const samples = { few: [] as number[], many: [] as number[] };
  const rounds = 2;
  for (let round = 0; round < rounds; round++) {
    context.progress(`${row.name}: round ${round + 1} of ${rounds}`);
    for (const [name, service] of [
      ["few", few],
      ["many", many],
    ] as const) {
      await Promise.all([few.idle(), many.idle()]);
      samples[name].push(...(await onceASecond(6, service.setUp)).map(latencyOf));
    }
  }
  await Promise.all([few.stop(), many.stop()]);
  return ratio(row, [
    [`${MANY} tenants`, side(samples.many)],
    [`${FEW} tenants`, side(samples.few)],
  ]);
}
