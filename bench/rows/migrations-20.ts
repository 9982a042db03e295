import { writeFileSync } from "node:fs";
import path from "node:path";
import type { BenchContext } from "../context/context";
import { onceASecond } from "../measure/samples";
import { ratio, side, type Group, type Row } from "../context/row";
import { latencyOf, type Service } from "../sides/service";

const row: Row = {
  name: "migrations-20",
  what: "20 migrations against 6, p50, a request a second",
  kind: "goal",
  must: "at most",
  limit: 1.15,
  unit: "times",
};

/** Two services that differ in their tenant migrations only, measured in turns. */
export const migrationsOf20: Group = {
  name: "migrations-20",
  rows: [row],
  slow: true,
  async measure(context) {
    const six = await context.service();
    context.progress("20 migrations: starting a service with them");
    const twenty = await context.startService({
      databaseUrl: await context.databases.migrated("migrations-20"),
      backendUrl: `file://${context.folder("migrations-20-state")}`,
      migrationsDir: migrationsIn(context),
      // As many as the set-ups between two waits for idleness.
      spareStacks: 5,
    });
    await onceASecond(3, twenty.setUp);
    const times = new Map<Service, number[]>([
      [six, []],
      [twenty, []],
    ]);
    const rounds = 2;
    for (let round = 0; round < rounds; round++) {
      context.progress(`20 migrations against 6: round ${round + 1} of ${rounds}`);
      for (const [service, samples] of times) {
        await six.idle();
        await twenty.idle();
        samples.push(...(await onceASecond(5, service.setUp)).map(latencyOf));
      }
    }
    await twenty.stop();
    const [of6 = [], of20 = []] = times.values();
    return {
      results: [
        ratio(row, [
          ["20 migrations", side(of20)],
          ["6 migrations", side(of6)],
        ]),
      ],
    };
  },
};

/** Twenty small files, each with a table and an index on it, as products have them. */
function migrationsIn(context: BenchContext): string {
  const directory = context.folder("migrations-20");
  for (let number = 1; number <= 20; number++) {
    const version = `202601010000${String(number).padStart(2, "0")}`;
    const name = `items_${number}`;
    const text = `-- migrate:up
create table ${name} (
  id uuid primary key default gen_random_uuid(),
  label text not null,
  created_at timestamptz not null default now()
);
create index ${name}_label on ${name} (label);

-- migrate:down
drop table ${name};
`;
    writeFileSync(path.join(directory, `${version}_create_${name}.sql`), text);
  }
  return directory;
}
