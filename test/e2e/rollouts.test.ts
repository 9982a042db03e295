import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { fileState } from "../support/pulumi-state";
import { useServiceDatabase } from "../support/service-database";
import { previewOf } from "../support/whole-tenant";
import { useFleet } from "../support/fleet";
import { eventually, startServiceProcess, type KillableService } from "../support/killable-service";
import { postSetUp, send, tenantBody } from "../support/service-client";
import { temporaryFolder, cleanUpServices } from "../support/service-process";
import { signed } from "../support/service-tokens";

/** A rollout by two instances of the service, each a process of its own. */

// Before the fleet's own, which drops the database: they run in this order.
afterAll(cleanUpServices);
const fleet = useFleet();
const database = useServiceDatabase({ migrated: false });

/** Applied twice, it would show: one row for each time. */
const slowly = (table: string) =>
  `create table if not exists ${table} (id int); insert into ${table} values (1); select pg_sleep(0.5)`;

const start = (state: string, env: Record<string, string> = {}): Promise<KillableService> =>
  startServiceProcess({
    ...{ DATABASE_URL: fleet.url(), TENANT_MIGRATIONS_DIR: fleet.folder },
    ...{ PULUMI_BACKEND_URL: `file://${state}`, KEEP_PROVIDERS: "false", PRESTARTED_RUNS: "0" },
    ...{ SPARE_STACKS: "0", SETUP_CONCURRENCY: "1", ...env },
  });

const rollouts = () =>
  fleet.sql<{ id: string; status: string; done: number }>(
    `select id, r.status, count(*) filter (where t.status = 'done')::int as done
    from public.rollouts r join public.rollout_tenants t on rollout_id = id
    group by id order by created_at`,
  );
const expectEachOnce = async (slugs: readonly string[], table: string) => {
  for (const slug of slugs) {
    const schema = await fleet.schemaOf(slug);
    expect(await fleet.sql(`select id from "${schema}".${table}`)).toEqual([{ id: 1 }]);
  }
};

test("what an instance had that was killed goes on in another; those that start together begin one", async () => {
  await fleet.reset();
  const slugs = await fleet.addTenants(12);
  fleet.write("2_more.sql", slowly("b"));
  const state = temporaryFolder("rollouts-");
  const [first, second] = [await start(state), await start(state)];
  const token = await signed({ expiresIn: 3_600, claims: { role: "SUPER_ADMIN" } });
  const begun = await send(`${first.url}/api/rollouts`, { method: "POST", token, body: {} });
  expect(begun.status).toBe(202);
  await eventually(async () => ((await rollouts())[0]?.done ?? 0) >= 3 || undefined);
  await first.kill();
  await eventually(async () => (await rollouts())[0]?.status === "succeeded" || undefined);
  expect(await rollouts()).toMatchObject([{ id: begun.body.id, done: 12 }]);
  await expectEachOnce(slugs, "b");

  await second.stop();
  fleet.write("3_most.sql", slowly("c"));
  await Promise.all(["all", "all"].map((mode) => start(state, { MIGRATE_ON_START: mode })));
  await eventually(async () => (await rollouts())[1]?.status === "succeeded" || undefined);
  expect(await rollouts()).toMatchObject([{ done: 12 }, { done: 12 }]);
  await expectEachOnce(slugs, "c");
});

test("the state of a stack follows when the service is idle, and no migration runs twice", async () => {
  const directory = temporaryFolder("rollouts-");
  const [state, migrations] = [path.join(directory, "state"), path.join(directory, "migrations")];
  mkdirSync(state);
  cpSync(tenantMigrationsDir, migrations, { recursive: true });
  const service = await startServiceProcess({
    ...{ DATABASE_URL: database.url(), TENANT_MIGRATIONS_DIR: migrations },
    ...{ PULUMI_BACKEND_URL: `file://${state}` },
  });
  const token = await signed({ expiresIn: 3_600, claims: { role: "SUPER_ADMIN" } });
  const { body } = await postSetUp(service.url, token, tenantBody());
  writeFileSync(
    path.join(migrations, "20990101000000_more.sql"),
    `-- migrate:up\n${slowly("b")};\n-- migrate:down\n`,
  );
  await send(`${service.url}/api/rollouts`, { method: "POST", token, body: {} });
  const isBehind = async () => {
    const [row] = await database.sql<{ behind: boolean }>(
      "select is_state_behind as behind from public.service_tenants",
    );
    return row?.behind;
  };
  await eventually(async () => ((await isBehind()) === true ? true : undefined));
  // Now, and not when the minute is over.
  await database.sql("select graphile_worker.add_job('follow_rollouts')");
  await eventually(async () => (await isBehind()) === false || undefined);
  const id = body.id ?? "";
  expect(await previewOf(database, fileState(state), id, { migrationsDir: migrations })).toEqual({
    same: expect.any(Number) as number,
  });
  expect(await database.sql(`select id from "tenant_${id}".b`)).toEqual([{ id: 1 }]);
});
