import { fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import path from "node:path";
import { obtainEngine } from "../../engine/obtain/obtain";
import { tenantMigrationsDir } from "../../provider/database/migrations";
import { engineEnvironment } from "../../service/pulumi/engine-environment";
import { fastest } from "../../service/config/engine-options";
import { wantedWith } from "../../service/tenants/wanted";
import { declarationOf } from "../../service/tenants/wanted-tenant";
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
  /** Default: `active`. */
  readonly status?: string | undefined;
  /** How many operations there are of the slug. Default: 1. */
  readonly operations?: number | undefined;
}

/** That the operation succeeds, and that its tenant is as one that nothing disturbed. */
export async function expectWhole(setUp: SetUp): Promise<void> {
  await expectSucceeded(setUp);
  await expectTenant(setUp);
  await expectState(setUp);
  const [row] = await setUp.database.sql<{ id: string }>(
    "select id from public.tenants where slug = $1",
    [setUp.slug],
  );
  expect(await previewOf(setUp.database, setUp.state, row?.id ?? "")).toEqual({
    same: expect.any(Number) as number,
  });
  await expectNothingLeft(setUp);
}

/** That the operation succeeds, and that nothing is left of its tenant, nor of its stack. */
export async function expectPurged(setUp: SetUp, stack: string): Promise<void> {
  await expectSucceeded(setUp);
  const { database, slug, id } = setUp;
  const [counts] = await database.sql(
    `select
      (select count(*)::int from public.tenants t where t.id = tenant_id) as tenants,
      (select count(*)::int from public.service_tenants w where w.id = tenant_id) as wanted,
      (select count(*)::int from public.tenant_users m where m.tenant_id = o.tenant_id) as members,
      (select count(*)::int from public.users where email = $2) as users,
      (select count(*)::int from pg_namespace where nspname = 'tenant_' || tenant_id) as schemas,
      (select count(*)::int from public.tenant_migration_digests
        where schema_name = 'tenant_' || tenant_id) as digests
    from public.operations o where o.id = $1`,
    [id, `ana@${slug}.example`],
  );
  const none = { tenants: 0, wanted: 0, members: 0, users: 0, schemas: 0, digests: 0 };
  expect(counts).toEqual(none);
  await expectNoStack(setUp, stack);
}

/** That the operation succeeds, and that the tenant is there as it was, and nobody's; its stack is gone. */
export async function expectReleased(setUp: SetUp, stack: string): Promise<void> {
  await expectSucceeded(setUp);
  await expectTenant({ ...setUp, operations: 2 });
  const [row] = await setUp.database.sql(
    `select owner, (select count(*)::int from public.service_tenants w where w.id = t.id) as wanted
    from public.tenants t where slug = $1`,
    [setUp.slug],
  );
  expect(row).toEqual({ owner: null, wanted: 0 });
  await expectNoStack(setUp, stack);
}

async function expectNoStack(setUp: SetUp, stack: string): Promise<void> {
  const { database, state } = setUp;
  await eventually(async () => {
    const rows = await database.sql("select from public.service_stacks where name = $1", [stack]);
    return rows.length === 0 ? true : undefined;
  });
  expect(await stacksIn(state)).not.toContain(stack);
  await expectNothingLeft(setUp, stack);
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

/** One row, one schema, all migrations once, one user, one membership, and it has the status. */
async function expectTenant({
  database,
  slug,
  firstSlug = slug,
  status = "active",
  operations = 1,
}: SetUp): Promise<void> {
  const tenants = await database.sql<{ id: string; status: string }>(
    "select id, status from public.tenants where slug = $1",
    [slug],
  );
  expect(tenants).toEqual([{ id: expect.any(String) as string, status }]);
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
  const once = { schemas: 1, users: 1, memberships: 1 };
  expect(counts).toEqual({ ...once, operations, tables: migrations.length + 1, migrations });
}

async function expectState({ database, state, slug }: SetUp): Promise<void> {
  const { types, pending } = await contentOf(state, await database.stackOf(slug));
  for (const type of ["Record", "AdminUser", "Schema", "Migrations", "Membership"]) {
    expect(types.filter((found) => found === type)).toEqual([type]);
  }
  expect(pending).toEqual([]);
}

/** What the real CLI would do next with the tenant's stack, by a refresh and an `up`. */
export async function previewOf(
  database: ServiceDatabase,
  state: StateBackend,
  tenantId: string,
  {
    migrationsDir = tenantMigrationsDir,
    productRoles = [],
  }: { migrationsDir?: string; productRoles?: string[] } = {},
): Promise<Previewed> {
  const [wanted] = await wantedWith(database.handle.query, tenantId);
  if (wanted === undefined) throw new Error(`the service wants no tenant ${tenantId}`);
  const tenant = JSON.stringify([declarationOf(wanted)]);
  const { env: engine } = await obtainEngine(() => undefined);
  const [backendUrl, passphrase] = [state.url, "a passphrase for tests"];
  const child = fork(path.join(__dirname, "preview-stack.js"), [wanted.stack ?? "", tenant], {
    env: engineEnvironment({
      ...{ engine, databaseUrl: database.url(), backendUrl, passphrase, engineOptions: fastest },
      ...{ migrationsDir, productRoles },
    }),
  });
  const [answer] = (await once(child, "message")) as [{ changes?: Previewed; fault?: string }];
  if (answer.changes === undefined) throw new Error(answer.fault);
  return answer.changes;
}

/** That no job, lock, stack or process is left but of what is at work, or was made ahead. */
async function expectNothingLeft(
  { database, state, service, slug }: SetUp,
  itsStack?: string,
): Promise<void> {
  await eventually(async () => {
    const jobs = await database.sql("select from graphile_worker.jobs");
    return jobs.length === 0 ? true : undefined;
  });
  const stack = itsStack ?? (await database.stackOf(slug));
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
