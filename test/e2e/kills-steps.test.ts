import { hold, type HoldPoint } from "../support/hold-points";
import { useKillHarness } from "../support/kill-harness";
import { eventually, startedBy } from "../support/killable-service";

/**
 * A kill at each boundary between and within the five steps. Each boundary and each victim is met, not
 * each pair of them. PostgreSQL itself is killed in kills-postgres.test.ts.
 */
const harness = useKillHarness();

const commands = {
  "program host": /pulumi\/host\.js/,
  "Pulumi CLI": /pulumi (up|refresh) /,
  "dynamic provider": /dynamic-provider/,
  "postgresql plugin": /pulumi-resource-postgresql|postgresql\/main\.js/,
  dbmate: /dbmate.* migrate/,
};

type Victim = keyof typeof commands | "service" | "PostgreSQL backend" | "PostgreSQL sessions";

describe("a set-up ends well by itself when it waits in PostgreSQL,", () => {
  test.each<{ boundary: string; point: HoldPoint; victim: Victim }>([
    { boundary: "before it begins", point: "before running", victim: "service" },
    { boundary: "before record", point: "before tenants", victim: "program host" },
    { boundary: "in record", point: "in tenants", victim: "service" },
    { boundary: "before admin", point: "before users", victim: "dynamic provider" },
    { boundary: "in admin", point: "in users", victim: "PostgreSQL backend" },
    { boundary: "before schema", point: "before create schema", victim: "Pulumi CLI" },
    { boundary: "in schema", point: "in create schema", victim: "postgresql plugin" },
    { boundary: "before migrations", point: "before create table", victim: "dbmate" },
    { boundary: "in migrations", point: "in create table routes", victim: "dynamic provider" },
    { boundary: "in migrations", point: "in create table routes", victim: "service" },
    { boundary: "before membership", point: "before tenant_users", victim: "program host" },
    { boundary: "in membership", point: "in tenant_users", victim: "PostgreSQL sessions" },
    { boundary: "before its end", point: "before succeeded", victim: "service" },
  ])("$boundary, and the $victim is killed", async ({ boundary, point, victim }) => {
    const slug = nameOf(boundary, victim);
    const held = await hold(harness.database, point);
    const id = await harness.ask(slug);
    await kill(victim, await held.reached());
    await held.release();
    await harness.expectWhole(slug, id);
  });
});

describe("a set-up ends well by itself when a step is committed, but not told to the engine:", () => {
  const tenant = "select from public.tenants t where slug = $1";
  const done = {
    record: tenant,
    admin: `${tenant} and admin_user_id is not null`,
    schema: `${tenant} and exists (select from pg_namespace where nspname = 'tenant_' || t.id)`,
    migrations: `${tenant} and exists (
      select from public.tenant_migration_digests where schema_name = 'tenant_' || t.id)`,
    membership: `${tenant} and status = 'active'`,
  };
  test.each<{ step: keyof typeof done; point: HoldPoint; victim: Victim }>([
    { step: "record", point: "in tenants", victim: "Pulumi CLI" },
    { step: "admin", point: "in users", victim: "service" },
    { step: "schema", point: "in create schema", victim: "dynamic provider" },
    { step: "migrations", point: "in create table routes", victim: "Pulumi CLI" },
    { step: "membership", point: "in tenant_users", victim: "Pulumi CLI" },
    { step: "membership", point: "in tenant_users", victim: "service" },
  ])("$step, and the $victim is killed", async ({ step, point, victim }) => {
    const slug = nameOf("after", step, victim);
    const held = await hold(harness.database, point);
    const id = await harness.ask(slug);
    const backend = await held.reached();
    const goOn = await harness.stopEngine(slug);
    await held.release();
    await eventually(async () => {
      const rows = await harness.database.sql(done[step], [slug]);
      return rows.length > 0 ? true : undefined;
    });
    await kill(victim, backend);
    goOn();
    await harness.expectWhole(slug, id);
  });
});

describe("a change of the slug ends well by itself", () => {
  test.each<{ boundary: string; point: HoldPoint; victim: Victim }>([
    { boundary: "before it begins", point: "before running", victim: "service" },
    { boundary: "before record", point: "before change of slug", victim: "Pulumi CLI" },
    { boundary: "in record", point: "in change of slug", victim: "dynamic provider" },
    { boundary: "in record", point: "in change of slug", victim: "PostgreSQL backend" },
    { boundary: "in record", point: "in change of slug", victim: "service" },
    { boundary: "before its end", point: "before succeeded", victim: "service" },
  ])("that waits $boundary, when the $victim is killed", async ({ boundary, point, victim }) => {
    const firstSlug = nameOf("first", boundary, victim);
    const setUp = await harness.ask(firstSlug);
    await harness.expectWhole(firstSlug, setUp);
    const [tenant] = await harness.database.sql<{ id: string }>(
      "select id from public.tenants where slug = $1",
      [firstSlug],
    );
    const slug = nameOf("then", boundary, victim);
    const held = await hold(harness.database, point);
    const id = await harness
      .changeSlug(tenant?.id ?? "", slug)
      .then(async (operation) => {
        await kill(victim, await held.reached());
        return operation;
      })
      .finally(held.release);
    await harness.expectWhole(slug, id, firstSlug);
  });
});

test("the preview that all this ends with sees a difference", async () => {
  const id = await harness.ask("unwhole");
  await harness.expectWhole("unwhole", id);
  await harness.database.sql("update public.tenants set name = 'X' where slug = 'unwhole'");
  await expect(harness.expectWhole("unwhole", id)).rejects.toThrow(/"update": 1/);
});

const nameOf = (...words: string[]) => words.join("-").toLowerCase().replaceAll(" ", "-");

/** @param backend The process id of the PostgreSQL backend that waits. */
async function kill(victim: Victim, backend: number): Promise<void> {
  const { service, database } = harness;
  switch (victim) {
    case "service": {
      const { child } = service();
      await service().kill();
      await harness.restart();
      await eventually(() => (startedBy(child.pid).length === 0 ? true : undefined));
      return;
    }
    case "PostgreSQL backend":
      return database.asSuperuser(`select pg_terminate_backend(${backend})`);
    case "PostgreSQL sessions":
      // The service's, the queue's and the run's, but for those of the test.
      return database.asSuperuser(
        `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name <> '' and pid <> pg_backend_pid()`,
      );
    default: {
      const victims = harness.processes(commands[victim]);
      expect(victims).not.toEqual([]);
      for (const { pid } of victims) process.kill(pid, "SIGKILL");
    }
  }
}
