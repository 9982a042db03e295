import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { Client } from "pg";
import { useKillHarness } from "../support/kill-harness";
import { eventually } from "../support/killable-service";
import { lives, PLACES, type Step } from "../support/lives-plan";
import { send, tenantBody, type Answer } from "../support/service-client";
import { signed } from "../support/service-tokens";
import { newLife, nextLife, slugTaken, type Life, type Next } from "../support/tenant-life";
import { sendVerb } from "../support/told-verbs";
import { killIfThere } from "../support/victims";
import { previewOf } from "../support/whole-tenant";

/**
 * Random lives of tenants against the model of tenant-life.ts. LIVES_RUNS and LIVES_SECONDS make it longer;
 * LIVES_SEED and LIVES_PATH repeat a failure, which tells both.
 */
const runs = Number(process.env.LIVES_RUNS ?? 4);
const limitMs = Number(process.env.LIVES_SECONDS ?? 45) * 1_000;

// Defined in this order, they run in it: the role goes after the database in which it has rights.
const role = `product_${randomUUID().slice(0, 8)}`;
beforeAll(() => onServer(`create role ${role}`));
const harness = useKillHarness({ env: { PRODUCT_ROLES: role, SETUP_WAIT: "120" } });
afterAll(() => onServer(`drop role ${role}`));
jest.setTimeout(limitMs + 300_000);
const { database } = harness;
let token: string;
let kills = 0;
const counts = new Map<string, number>();

beforeAll(async () => {
  token = await signed({ expiresIn: 24 * 3_600, claims: { sub: "ana", role: "SUPER_ADMIN" } });
});

async function onServer(statement: string): Promise<void> {
  const client = new Client(process.env.TEST_POSTGRES_URL);
  await client.connect();
  await client.query(statement).finally(() => client.end());
}

/** A tenant that was set up, and how the model says that it is. */
interface Tenant {
  readonly id: string;
  readonly life: Life;
}

type Places = (Tenant | undefined)[];

test("random lives of tenants are those of the model, whatever is killed meanwhile", async () => {
  const until = performance.now() + limitMs;
  await fc.assert(
    fc.asyncProperty(lives, async (steps) => {
      // Nor does anybody wait longer for a counterexample to become smaller.
      if (performance.now() > until) return;
      await endAll();
      const places: Places = Array.from({ length: PLACES }, () => undefined);
      for (const step of steps) await take(step, places);
      await expectPreviews(places);
      for (const place of places.keys()) await end(place, places);
      await expectNothing();
    }),
    {
      numRuns: runs,
      ...{ seed: Number(process.env.LIVES_SEED ?? 12), path: process.env.LIVES_PATH ?? "" },
      // To make a counterexample smaller takes runs of seconds each: only who asks for it waits for that.
      endOnFailure: process.env.LIVES_SHRINK === undefined,
    },
  );
  process.stdout.write(`lives: ${JSON.stringify({ ...Object.fromEntries(counts), kills })}\n`);
});

async function take(step: Step, places: Places): Promise<void> {
  const { place } = step;
  const tenant = places[place];
  const others = places.filter((_, index) => index !== place);
  const held = others.flatMap((other) =>
    other === undefined || other.life.status === "deleted" ? [] : [other.life.slug],
  );
  const isFree = (slug: string | undefined) => slug === undefined || !held.includes(slug);
  if (tenant === undefined) {
    const answer = await answered(step, (headers) =>
      send(`${harness.service().url}/api/tenant/setup`, {
        ...{ method: "POST", token, headers },
        body: tenantBody({ slug: step.slug, adminEmail: `ana@place-${place}.example` }),
      }),
    );
    count("setup", answer.status);
    expect({ step, ...answer }).toMatchObject({ status: isFree(step.slug) ? 201 : 409 });
    if (answer.status !== 201) return;
    places[place] = { id: answer.id, life: newLife("Acme Corp", step.slug) };
  } else {
    const body = step.verb === "purge" ? { slug: tenant.life.slug, ...step.body } : step.body;
    const sent = { tenantId: tenant.id, verb: step.verb, body };
    const possible = nextLife(tenant.life, step.verb, body);
    const next: Next = isFree(slugTaken(tenant.life, possible)) ? possible : 409;
    const answer = await answered(step, (headers) =>
      sendVerb(harness.service().url, token, sent, headers),
    );
    count(step.verb, answer.status);
    const right = typeof next === "number" ? next : next.status === "purged" ? 204 : 200;
    expect({ step, life: tenant.life, ...answer }).toMatchObject({ status: right });
    const life = typeof next === "number" ? tenant.life : next;
    places[place] = life.status === "purged" ? undefined : { ...tenant, life };
  }
  await expectAll(places);
}

/** Sends a request, kills what the step says, and sends it again by its key where no answer came. */
async function answered(
  { kill }: Step,
  request: (headers: Record<string, string>) => Promise<Answer>,
): Promise<{ status: number; id: string }> {
  const key = { "Idempotency-Key": randomUUID() };
  const ask = () => request(key).catch(() => undefined);
  let asked = ask();
  if (kill !== undefined) {
    await delay(kill.afterMs);
    if (await killIfThere(harness, kill.victim)) kills += 1;
  }
  return eventually(async () => {
    const answer = await asked;
    if (answer !== undefined && answer.status < 500) {
      return { status: answer.status, id: answer.body.id ?? "" };
    }
    asked = ask();
    return undefined;
  }, 120_000);
}

const count = (verb: string, status: number) =>
  counts.set(`${verb} ${status}`, (counts.get(`${verb} ${status}`) ?? 0) + 1);

/** That the database has the tenants of the model, and that the product can use those that are active. */
async function expectAll(places: Places): Promise<void> {
  const found = await database.sql<{ id: string }>(
    `select t.id, t.status, t.name, t.slug, w.status as wanted,
      (select count(*)::int from public.tenant_users where tenant_id = t.id) as members,
      has_schema_privilege($1, 'tenant_' || t.id, 'usage') as open
    from public.tenants t left join public.service_tenants w on w.id = t.id`,
    [role],
  );
  const wanted = places.flatMap((tenant) => {
    if (tenant === undefined) return [];
    const { id, life } = tenant;
    const { status, name, slug, isDeclared } = life;
    const wanted = isDeclared ? status : null;
    return [{ ...{ id, status, name, slug, wanted }, members: 1, open: status === "active" }];
  });
  const byId = (rows: { id: string }[]) => rows.sort((one, two) => one.id.localeCompare(two.id));
  expect(byId(found)).toEqual(byId(wanted));
}

async function expectPreviews(places: Places): Promise<void> {
  for (const tenant of places) {
    if (tenant?.life.isDeclared !== true) continue;
    const options = { productRoles: [role] };
    await settled();
    const preview = await previewOf(database, harness.state(), tenant.id, options);
    expect(preview).toEqual({ same: expect.any(Number) as number });
  }
}

/** Ends a tenant, from whatever it is. */
async function end(place: number, places: Places): Promise<void> {
  const tenant = places[place];
  if (tenant === undefined) return;
  const plain = { place, body: {}, slug: "", kill: undefined };
  if (!tenant.life.isDeclared) await take({ ...plain, verb: "adopt" }, places);
  await take({ ...plain, verb: "delete" }, places);
  await take({ ...plain, verb: "purge" }, places);
  expect(places[place]).toBeUndefined();
}

/** Ends what a run has left that failed. */
async function endAll(): Promise<void> {
  const left = await database.sql<{ id: string; slug: string }>(
    "select id, slug from public.tenants union select id, slug from public.service_tenants",
  );
  for (const { id: tenantId, slug } of left) {
    const { url } = harness.service();
    await sendVerb(url, token, { tenantId, verb: "adopt", body: {} });
    await sendVerb(url, token, { tenantId, verb: "delete", body: {} });
    await sendVerb(url, token, { tenantId, verb: "purge", body: { slug } });
  }
}

/** That nothing is left of any tenant but its operations. */
async function expectNothing(): Promise<void> {
  await settled();
  const [left] = await database.sql(
    `select (select count(*)::int from public.tenants) as tenants,
      (select count(*)::int from public.service_tenants) as wanted,
      (select count(*)::int from public.users) as users,
      (select count(*)::int from public.tenant_users) as members,
      (select count(*)::int from pg_namespace where nspname like 'tenant\\_%') as schemas,
      (select count(*)::int from public.tenant_migration_digests where schema_name <> 'public')
        as digests,
      (select count(*)::int from public.service_stacks where status = 'taken') as stacks,
      (select count(*)::int from public.operations where status = 'failed') as failed`,
  );
  const none = { tenants: 0, wanted: 0, users: 0, members: 0, schemas: 0, digests: 0, stacks: 0 };
  expect(left).toEqual({ ...none, failed: 0 });
}

/** Resolves when every operation has ended, and with it its engine run, and no job is left. */
async function settled(): Promise<void> {
  await eventually(async () => {
    const busy = await database.sql(
      `select from public.operations where finished_at is null
      union all select from graphile_worker.jobs`,
    );
    return busy.length === 0 ? true : undefined;
  });
}
