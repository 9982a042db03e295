import { fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import path from "node:path";
import { obtainEngine } from "../../engine/obtain/obtain";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { engineEnvironment } from "../../service/pulumi/engine-environment";
import { fastest } from "../../service/config/engine-options";
import { declarationOf, wantedBySlug } from "../../service/tenants/wanted";
import { eventually, startedBy, type KillableService } from "./killable-service";
import type { Previewed } from "./preview-stack";
import { contentOf, locksIn, stacksIn, type StateBackend } from "./pulumi-state";
import type { ServiceDatabase } from "./service-database";

/** A set-up, and where it is found. */
export interface SetUp {
  readonly database: ServiceDatabase;
  readonly state: StateBackend;
  /** The service that is alive. */
  readonly service: KillableService;
  readonly slug: string;
  /** Of its operation. */
  readonly id: string;
  /** The slug that it was set up with; its admin is called by it. Default: the one it has. */
  readonly firstSlug?: string | undefined;
}

/** That the operation succeeds, and that its tenant is as one that nothing disturbed. */
export async function expectWhole(setUp: SetUp): Promise<void> {
  await expectSucceeded(setUp);
  await expectTenant(setUp);
  await expectState(setUp);
  expect(await preview(setUp)).toEqual({ same: expect.any(Number) as number });
  await expectNothingLeft(setUp);
}

async function expectSucceeded({ database, service, id }: SetUp): Promise<void> {
  const end = await eventually(async () => {
    const [row] = await database.sql<{ status: string; failure: unknown }>(
      "select status, failure from public.operations where id = $1 and finished_at is not null",
      [id],
    );
    return row;
  });
  const log = end.status === "succeeded" ? "" : service.log();
  expect({ ...end, log }).toEqual({ status: "succeeded", failure: null, log: "" });
}

/** One row, one schema, all migrations once, one user, one membership, and it is active. */
async function expectTenant({ database, slug, firstSlug = slug }: SetUp): Promise<void> {
  const tenants = await database.sql<{ id: string; status: string }>(
    "select id, status from public.tenants where slug = $1",
    [slug],
  );
  expect(tenants).toEqual([{ id: expect.any(String) as string, status: "active" }]);
  const [{ id } = { id: "" }] = tenants;
  const [counts] = await database.sql(
    `select
      (select count(*)::int from pg_namespace where nspname = $1) as schemas,
      (select count(*)::int from pg_tables where schemaname = $1) as tables,
      (select array_agg(version order by version) from "tenant_${id}".schema_migrations) as migrations,
      (select count(*)::int from public.users where email = $2) as users,
      (select count(*)::int from public.tenant_users m join public.users u on u.id = m.user_id
        where m.tenant_id = $3 and u.email = $2) as memberships,
      (select count(*)::int from public.operations where slug = $4) as operations`,
    [`tenant_${id}`, `ana@${firstSlug}.example`, id, slug],
  );
  const migrations = readdirSync(tenantMigrationsDir)
    .map((file) => file.split("_")[0])
    .sort();
  const once = { schemas: 1, users: 1, memberships: 1, operations: 1 };
  expect(counts).toEqual({ ...once, tables: migrations.length + 1, migrations });
}

async function expectState({ database, state, slug }: SetUp): Promise<void> {
  const { types, pending } = await contentOf(state, await database.stackOf(slug));
  for (const type of ["Record", "AdminUser", "Schema", "Migrations", "Membership"]) {
    expect(types.filter((found) => found === type)).toEqual([type]);
  }
  expect(pending).toEqual([]);
}

/** What the real CLI would do next, by a refresh and an `up`. */
async function preview({ database, state, slug }: SetUp): Promise<Previewed> {
  const wanted = await wantedBySlug(database.handle.query, slug);
  if (wanted === undefined) throw new Error(`the service wants no tenant ${slug}`);
  const tenant = JSON.stringify(declarationOf(wanted));
  const { env: engine } = await obtainEngine(() => undefined);
  const [backendUrl, passphrase] = [state.url, "a passphrase for tests"];
  const child = fork(
    path.join(__dirname, "preview-stack.js"),
    [await database.stackOf(slug), tenant],
    {
      env: engineEnvironment({
        ...{ engine, databaseUrl: database.url(), backendUrl, passphrase, engineOptions: fastest },
        migrationsDir: tenantMigrationsDir,
      }),
    },
  );
  const [answer] = (await once(child, "message")) as [{ changes?: Previewed; fault?: string }];
  if (answer.changes === undefined) throw new Error(answer.fault);
  return answer.changes;
}

/** That no job, lock, stack or process is left but of what is at work, or was made ahead. */
async function expectNothingLeft({ database, state, service, slug }: SetUp): Promise<void> {
  await eventually(async () => {
    const jobs = await database.sql("select from graphile_worker.jobs");
    return jobs.length === 0 ? true : undefined;
  });
  const stack = await database.stackOf(slug);
  expect((await locksIn(state)).filter((lock) => lock.stack === stack)).toEqual([]);
  const known = await database.sql<{ name: string }>("select name from public.service_stacks");
  const names = known.map(({ name }) => name);
  expect((await stacksIn(state)).filter((name) => !names.includes(name))).toEqual([]);
  await eventually(() => {
    const left = startedBy(service.child.pid).filter(
      ({ command }) => command.includes(`--stack ${stack} `) || /dbmate.* migrate/.test(command),
    );
    return left.length === 0 ? true : undefined;
  });
}
