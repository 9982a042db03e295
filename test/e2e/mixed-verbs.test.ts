import { setTimeout as delay } from "node:timers/promises";
import { startServiceProcess, type KillableService } from "../support/killable-service";
import { postgresState } from "../support/pulumi-state";
import { seeded } from "../support/random";
import { postSetUp, tenantBody } from "../support/service-client";
import { useServiceDatabase } from "../support/service-database";
import { signed } from "../support/service-tokens";
import { isSomeOrder } from "../support/some-order";
import { newLife, type VerbBody, type VerbName } from "../support/tenant-life";
import type { Told } from "../support/told";
import { look, tell } from "../support/told-verbs";
import { previewOf } from "../support/whole-tenant";

const database = useServiceDatabase({ migrated: false });
const instances: KillableService[] = [];
const seed = Number(process.env.SEED ?? 20);
let token: string;

beforeAll(async () => {
  token = await signed({ expiresIn: 3_600, claims: { sub: "ana", role: "SUPER_ADMIN" } });
  const env = {
    ...{ DATABASE_URL: database.url(), PULUMI_BACKEND_URL: postgresState(database.url()).url },
    ...{ SETUP_WAIT: "240", RATE_LIMIT: "100000" },
  };
  instances.push(await startServiceProcess(env), await startServiceProcess(env));
});
afterAll(() => Promise.all(instances.map((instance) => instance.stop())));

const urlOf = (index: number) => instances[index % instances.length]?.url ?? "";

async function made(slug: string): Promise<string> {
  const admin = { slug, adminEmail: `ana@${slug}.example` };
  const { status, body } = await postSetUp(urlOf(0), token, tenantBody(admin));
  expect({ status, body }).toMatchObject({ status: 201 });
  return body.id ?? "";
}

interface Planned {
  readonly verb: VerbName;
  readonly body: VerbBody;
}

/** Fifty verbs, in an order that the seed decides. */
function fifty(slug: string): Planned[] {
  const random = seeded(seed);
  const many = (count: number, verb: VerbName, body: (index: number) => VerbBody = () => ({})) =>
    Array.from({ length: count }, (_, index) => ({ verb, body: body(index) }));
  const all: Planned[] = [
    ...many(8, "change", (index) => ({ name: `Name ${index}` })),
    ...many(8, "change", (index) => ({ slug: `${slug}-${index}` })),
    ...many(10, "suspend"),
    ...many(9, "resume"),
    ...many(7, "delete"),
    ...many(7, "restore"),
    ...many(1, "purge", () => ({ slug })),
  ];
  return all
    .map((planned) => ({ planned, order: random() }))
    .sort((one, other) => one.order - other.order)
    .map(({ planned }) => planned);
}

/** That the answers and the end are those of some order, and that what is left is whole. */
async function expectSomeOrder(id: string, slug: string, told: readonly Told[]): Promise<void> {
  const all = [...told, await look(urlOf(1), token, id)];
  const fits = isSomeOrder(newLife("Acme Corp", slug), all, undefined);
  // The whole of it is told: another run of the same seed may go another way.
  const lines = all.map(
    ({ sentAt, endedAt, ...each }) => `${sentAt} ${endedAt} ${JSON.stringify(each)}`,
  );
  expect(fits ? [] : [`with SEED=${seed}:`, ...lines]).toEqual([]);
  const [left] = await database.sql(
    `select (select count(*)::int from public.tenants where id = $1) as tenants,
      (select count(*)::int from public.service_tenants where id = $1) as wanted,
      (select count(*)::int from pg_namespace where nspname = 'tenant_' || $1) as schemas,
      (select count(*)::int from public.tenant_users where tenant_id = $1) as members,
      (select count(*)::int from public.operations where finished_at is not null
        and status <> 'succeeded' and tenant_id = $1) as failed`,
    [id],
  );
  const count = all.at(-1)?.answer === "gone" ? 0 : 1;
  expect(left).toEqual({
    ...{ tenants: count, wanted: count, schemas: count, members: count, failed: 0 },
  });
}

/** What the database says of a tenant that nobody changes. */
const rowOf = (id: string) => database.sql("select * from public.tenants where id = $1", [id]);

describe.each([
  ["one instance", 1],
  ["two instances", 2],
])("fifty verbs for one tenant, at %s,", (_, count) => {
  test("sent at once, are done one after the other, or refused for the one that is under way", async () => {
    const slug = `at-once-${count}`;
    const [id, bystander] = [await made(slug), await made(`bystander-${count}`)];
    const before = await rowOf(bystander);
    const sent = await Promise.all(
      fifty(slug).map(({ verb, body }, index) =>
        tell(urlOf(index % count), token, { tenantId: id, verb, body }),
      ),
    );
    const busy = sent.filter(({ answer }) => answer.body.code === "TENANT_BUSY");
    expect(busy).not.toEqual([]);
    const operations = await database.sql<{ id: string; kind: string }>(
      "select id, kind from public.operations where tenant_id = $1",
      [id],
    );
    const names = operations.map(
      (each) => `Operation ${each.id} (${each.kind}) of the tenant is under way`,
    );
    for (const { answer } of busy) expect(names).toContain(answer.body.message);
    const done = sent.filter(({ answer }) => [200, 204].includes(answer.status));
    expect(done).not.toEqual([]);
    await expectSomeOrder(
      id,
      slug,
      sent.flatMap(({ told }) => told),
    );
    expect(await rowOf(bystander)).toEqual(before);
  });
});

describe("fifty verbs for one tenant, at two instances,", () => {
  test("sent again while another is under way, all are answered, and end as in some order", async () => {
    const slug = "in-turn";
    const id = await made(slug);
    const told = await Promise.all(
      fifty(slug).map(async ({ verb, body }, index) => {
        for (;;) {
          const sent = await tell(urlOf(index), token, { tenantId: id, verb, body });
          if (sent.answer.body.code !== "TENANT_BUSY") return sent.told;
          await delay(100);
        }
      }),
    );
    await expectSomeOrder(id, slug, told.flat());
    const [{ stack } = { stack: null }] = await database.sql<{ stack: string | null }>(
      "select stack from public.service_tenants where id = $1",
      [id],
    );
    if (stack === null) return;
    const state = postgresState(database.url());
    expect(await previewOf(database, state, id)).toEqual({ same: expect.any(Number) as number });
  });
});
