import { setTimeout as delay } from "node:timers/promises";
import {
  eventually,
  startedBy,
  startServiceProcess,
  type KillableService,
} from "../support/killable-service";
import { locksIn, postgresState, stacksIn } from "../support/pulumi-state";
import { seeded } from "../support/random";
import { send, tenantBody } from "../support/service-client";
import { useServiceDatabase } from "../support/service-database";
import { signed } from "../support/service-tokens";
import { expectWhole } from "../support/whole-tenant";

jest.setTimeout(600_000);

const KILLS = 10;
/** Set-ups that wait or run at once. */
const AT_ONCE = 4;
/** For what takes as long as it takes on a machine that has other work, in ms. */
const PATIENCE = 300_000;

const database = useServiceDatabase({ migrated: false });
const replicas: KillableService[] = [];
/** The killed ones too: what they logged tells why a set-up failed. */
const everyone: KillableService[] = [];
let token: string;

beforeAll(async () => {
  token = await signed({ expiresIn: 3_600 });
  // At the same moment, on an empty database.
  const started = await Promise.allSettled([start(), start()]);
  for (const one of started) if (one.status === "fulfilled") replicas.push(one.value);
  expect(started).toMatchObject([{ status: "fulfilled" }, { status: "fulfilled" }]);
});
afterAll(() => Promise.all(replicas.map((replica) => replica.stop())));

async function start(): Promise<KillableService> {
  const replica = await startServiceProcess({
    DATABASE_URL: database.url(),
    PULUMI_BACKEND_URL: postgresState(database.url()).url,
    SETUP_CONCURRENCY: "1",
    RATE_LIMIT: "10000",
  });
  everyone.push(replica);
  return replica;
}

function at(index: number): KillableService {
  const replica = replicas[index];
  if (replica === undefined) throw new Error("no such replica");
  return replica;
}

/** Asks for a tenant. The key makes it one operation, however often it has to be sent. */
function ask(url: string, slug: string, headers: Record<string, string> = {}) {
  return send(`${url}/api/tenant/setup`, {
    method: "POST",
    token,
    body: tenantBody({ slug, adminEmail: `ana@${slug}.example` }),
    headers: { "Idempotency-Key": slug, ...headers },
  });
}

test("two that start at the same moment on an empty database both serve", async () => {
  const answers = await Promise.all(replicas.map(({ url }, index) => ask(url, `first-${index}`)));
  expect(answers.map(({ status }) => status)).toEqual([201, 201]);
  const migrations = await database.sql("select version from public.schema_migrations");
  expect(new Set(migrations.map(({ version }) => String(version))).size).toBe(migrations.length);
});

test("one of two is killed ten times: every set-up that was accepted ends well", async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 100_000);
  try {
    await killAtRandom(seeded(seed));
  } catch (error) {
    throw new Error(`with SEED=${seed}: ${String(error)}`, { cause: error });
  }
});

async function killAtRandom(random: () => number): Promise<void> {
  const killed: (number | undefined)[] = [];
  const accepted = new Map<string, string>();
  const seen = { over: false };

  async function keepAsking(): Promise<void> {
    for (let next = 0; !seen.over; next++) {
      await eventually(async () => ((await alive()) < AT_ONCE ? true : undefined), PATIENCE);
      const slug = `replica-${next}`;
      accepted.set(slug, await askUntilAccepted(slug));
    }
  }

  async function askUntilAccepted(slug: string): Promise<string> {
    return eventually(async () => {
      const { url } = at(random() < 0.5 ? 0 : 1);
      // One that was killed just now does not answer, and may have accepted all the same.
      const answer = await ask(url, slug, { Prefer: "respond-async" }).catch(() => undefined);
      return answer?.status === 202 ? answer.body.id : undefined;
    });
  }

  async function keepKilling(): Promise<void> {
    const restarts: Promise<void>[] = [Promise.resolve(), Promise.resolve()];
    for (let kill = 0; kill < KILLS; kill++) {
      const index = random() < 0.5 ? 0 : 1;
      await restarts[index];
      // Kills that came faster than set-ups end would test no set-up to its end.
      if (kill % 2 === 0) await oneMoreEnds();
      await delay(random() * 2_000);
      const victim = at(index);
      killed.push(victim.child.pid);
      await victim.kill();
      restarts[index] = start().then((replica) => void (replicas[index] = replica));
    }
    await Promise.all(restarts);
    seen.over = true;
  }

  await Promise.all([keepAsking(), keepKilling()]);
  await eventually(async () => ((await alive()) === 0 ? true : undefined), PATIENCE);
  await expectAllWhole(accepted);
  await expectNothingOf(killed);
  const [worst] = await database.sql<{ slug: string; id: string }>(
    "select slug, id from public.operations order by attempts desc limit 1",
  );
  const state = postgresState(database.url());
  await expectWhole({
    ...{ database, state, service: at(0) },
    ...{ slug: worst?.slug ?? "", id: worst?.id ?? "" },
  });
}

async function alive(): Promise<number> {
  const rows = await database.sql("select from public.operations where finished_at is null");
  return rows.length;
}

/** Resolves when one more set-up than now has ended. */
async function oneMoreEnds(): Promise<void> {
  const ended = () => database.sql("select from public.operations where finished_at is not null");
  const { length } = await ended();
  await eventually(async () => ((await ended()).length > length ? true : undefined), PATIENCE);
}

/** That there is one tenant of each operation that was accepted, and nothing else. */
async function expectAllWhole(accepted: ReadonlyMap<string, string>): Promise<void> {
  const operations = await database.sql<{ slug: string; id: string; status: string }>(
    "select slug, id, status from public.operations where slug like 'replica-%'",
  );
  expect(new Map(operations.map(({ slug, id }) => [slug, id]))).toEqual(accepted);
  const failed = operations.filter(({ status }) => status !== "succeeded");
  expect(failed.map((operation) => ({ ...operation, log: logOf(operation.id) }))).toEqual([]);
  const [counts] = await database.sql(
    `select
      (select count(*)::int from public.tenants where status = 'active') as tenants,
      (select count(*)::int from public.tenants) as rows,
      (select count(*)::int from pg_namespace n join public.tenants t on nspname = 'tenant_' || t.id)
        as schemas,
      (select count(*)::int from pg_namespace where nspname like 'tenant\\_%') as schemas_at_all,
      (select count(*)::int from public.users) as users,
      (select count(*)::int from public.tenant_users) as memberships,
      (select count(distinct schemaname)::int from pg_tables where tablename = 'activity_results')
        as migrated`,
  );
  const all = accepted.size + 2;
  expect(counts).toEqual({
    ...{ tenants: all, rows: all, schemas: all, schemas_at_all: all },
    ...{ users: all, memberships: all, migrated: all },
  });
}

/** What any replica ever logged of an operation. */
function logOf(operation: string): string[] {
  return everyone
    .flatMap(({ log }) => log().split("\n"))
    .filter((line) => line.includes(`"operation":"${operation}"`));
}

/** That no process, job, lock or stack is left of the instances that were killed. */
async function expectNothingOf(killed: readonly (number | undefined)[]): Promise<void> {
  await eventually(() => (killed.flatMap(startedBy).length === 0 ? true : undefined));
  await eventually(async () => {
    const jobs = await database.sql("select from graphile_worker.jobs");
    return jobs.length === 0 ? true : undefined;
  });
  const state = postgresState(database.url());
  const left = async () => {
    const rows = await database.sql<{ name: string; status: string }>(
      "select name, status from public.service_stacks",
    );
    const namesOf = (kept: (status: string) => boolean) =>
      rows.filter(({ status }) => kept(status)).map(({ name }) => name);
    const prestarted = namesOf((status) => status === "prestarted");
    const known = namesOf((status) => status !== "removing");
    return {
      strangers: (await stacksIn(state)).filter((name) => !known.includes(name)),
      locks: (await locksIn(state)).filter(({ stack }) => !prestarted.includes(stack)),
    };
  };
  const nothing = { strangers: [], locks: [] };
  // What the killed ones had begun ahead is removed by and by, each stack by a CLI of its own.
  await eventually(async () => {
    const { strangers, locks } = await left();
    return strangers.length + locks.length === 0 ? true : undefined;
  }, PATIENCE).catch(async () => expect(await left()).toEqual(nothing));
}
