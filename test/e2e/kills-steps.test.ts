import { hold, type HoldPoint } from "../support/hold-points";
import { useKillHarness } from "../support/kill-harness";
import { eventually } from "../support/killable-service";
import { killVictim, type Victim } from "../support/victims";

/**
 * A kill at each boundary between and within the five steps. Each boundary and each victim is met, not
 * each pair of them. PostgreSQL itself is killed in kills-postgres.test.ts.
 */
const harness = useKillHarness();
const kill = (victim: Victim, backend: number) => killVictim(harness, victim, backend);

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
    { boundary: "before record", point: "before change of slug", victim: "Pulumi CLI" },
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
    await harness.expectWhole(slug, id, { firstSlug });
  });
});

test("the preview that all this ends with sees a difference", async () => {
  const id = await harness.ask("unwhole");
  await harness.expectWhole("unwhole", id);
  await harness.database.sql("update public.tenants set name = 'X' where slug = 'unwhole'");
  await expect(harness.expectWhole("unwhole", id)).rejects.toThrow(/"update": 1/);
});

const nameOf = (...words: string[]) => words.join("-").toLowerCase().replaceAll(" ", "-");
