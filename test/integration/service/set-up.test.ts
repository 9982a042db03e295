import { setTimeout as delay } from "node:timers/promises";
import type { JWTPayload } from "jose" with { "resolution-mode": "import" };
import { isPasswordHash } from "../../../provider/contract/passwords";
import type { RunOutcome } from "../../../service/pulumi/engine-runs";
import { eventually } from "../../support/killable-service";
import {
  FakeEngineRuns,
  startService,
  type AskedTenant,
  type ServiceApp,
} from "../../support/service-app";
import { postSetUp, tenantBody, type Answer } from "../../support/service-client";
import { ownedByService, useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

const database = useServiceDatabase();
/** The services of one test: another test's would take its work from the queue. */
const services: ServiceApp[] = [];
let token: string;

beforeAll(async () => {
  token = await signed({ expiresIn: 600 });
});
afterEach(() => Promise.all(services.splice(0).map((service) => service.close())));

/** The service with a fake engine; by default one that leaves the tenant active. */
async function serviceWith(run: (tenant: AskedTenant) => Promise<RunOutcome> = succeed) {
  const runs = new FakeEngineRuns((tenant) => run(tenant));
  const service = await startService(database.handle, runs);
  services.push(service);
  const post = (changes: Record<string, unknown>): Promise<Answer> =>
    postSetUp(service.url, token, tenantBody(changes));
  /** What the log says of failures, answers aside. */
  const failures = () =>
    service.log.filter((line) => /"err":\{"type":"(?!HttpError|UnavailableAnswer)/.test(line));
  return { service, runs, post, failures };
}

async function succeed({ id, slug }: AskedTenant): Promise<RunOutcome> {
  await database.addTenant(slug, { id, owner: ownedByService(id) });
  return { result: "succeeded" };
}

const fail = (...faults: string[]): Promise<RunOutcome> =>
  Promise.resolve({ result: "failed", faults });

const taken = (slug: string) => ({
  statusCode: 409,
  message: `The slug ${slug} is taken`,
  error: "Conflict",
  code: "TENANT_CONFLICT",
});

test("a tenant that is set up is answered with its id and its address", async () => {
  const { post } = await serviceWith();
  const { status, headers, body } = await post({ slug: "acme" });
  const [row] = await database.sql("select id, name, slug from public.tenants where slug = 'acme'");
  expect(status).toBe(201);
  expect(body).toEqual(row);
  expect(headers.get("location")).toBe(`/api/tenant/${body.id ?? ""}`);
});

test("what the engine gets is normalised, and the password is a hash", async () => {
  const { post, runs } = await serviceWith();
  await post({ slug: "normal", name: "  Zoe\u0308  ", adminPassword: "a quiet purple river" });
  const [asked] = runs.asked;
  expect(asked).toMatchObject({ name: "Zo\u00eb", slug: "normal", adminEmail: "ana@acme.example" });
  expect(isPasswordHash(asked?.adminPassword ?? "")).toBe(true);
});

test("an admin may be left without a password, and the tenant is set up all the same", async () => {
  const { post, runs } = await serviceWith();
  expect((await post({ slug: "no-password", adminPassword: undefined })).status).toBe(201);
  expect(runs.asked[0]).toMatchObject({ slug: "no-password" });
  expect(runs.asked[0]).not.toHaveProperty("adminPassword");
});

test("an argon2 string is hashed like any other password", async () => {
  const { post, runs } = await serviceWith();
  const hash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$qGQmBB7xZ4nLCL4nVZcfVw";
  await post({ slug: "hash-as-password", adminPassword: hash });
  expect(runs.asked[0]?.adminPassword).not.toBe(hash);
  expect(isPasswordHash(runs.asked[0]?.adminPassword ?? "")).toBe(true);
});

describe("a slug is taken", () => {
  test.each([
    ["by another owner's tenant", "active", "organization/other/dev::x"],
    ["by another owner's unfinished tenant", "provisioning", "organization/other/dev::x"],
    ["by a tenant that was set up before", "active", undefined],
  ])("%s", async (_, status, owner) => {
    const slug = `taken-${status}-${String(owner?.length)}`;
    const own = owner === undefined ? { id: await database.addWanted(slug) } : {};
    await database.addTenant(slug, { ...own, status, owner: owner ?? ownedByService(slug) });
    const { post, runs } = await serviceWith();
    const answer = await post({ slug });
    expect(answer.status).toBe(409);
    expect(answer.body).toEqual(taken(slug));
    expect(runs.asked).toEqual([]);
  });

  test("by whoever takes it while the engine runs", async () => {
    const { post } = await serviceWith(async ({ slug }) => {
      await database.addTenant(slug);
      return fail("step record: the slug is taken");
    });
    expect((await post({ slug: "overtaken" })).body).toEqual(taken("overtaken"));
  });
});

test.each(["another owner's", "this service's"])(
  "the slug of %s tenant that is deleted is free, for a new one",
  async (whose) => {
    const slug = `free-${whose.slice(0, 4)}`;
    const id = await database.addWanted(slug);
    if (whose === "another owner's") {
      await database.sql("delete from public.service_tenants where id = $1", [id]);
    } else {
      await database.sql(
        `update public.service_tenants set status = 'deleted', restores_to = 'active',
          purge_at = now() + interval '30 days'
        where id = $1`,
        [id],
      );
    }
    await database.addTenant(slug, { id, status: "deleted", owner: "organization/other/dev::x" });
    const { post } = await serviceWith();
    const { status, body } = await post({ slug });
    expect(status).toBe(201);
    expect(body.id).not.toBe(id);
    expect(await database.sql("select status from public.tenants where id = $1", [id])).toEqual([
      { status: "deleted" },
    ]);
  },
);

describe("an unfinished tenant of this service", () => {
  test("is gone on with under its id", async () => {
    const id = await database.addWanted("unfinished");
    const owner = ownedByService(id);
    await database.addTenant("unfinished", { id, status: "provisioning", owner });
    const { post } = await serviceWith(database.apply);
    const { status, body } = await post({ slug: "unfinished", adminEmail: "ANA@acme.example" });
    expect(status).toBe(201);
    expect(body.id).toBe(id);
  });

  test("is not gone on with for another admin", async () => {
    const id = await database.addWanted("half-made");
    const owner = ownedByService(id);
    await database.addTenant("half-made", { id, status: "provisioning", owner });
    const { post, runs } = await serviceWith();
    const { status, body } = await post({ slug: "half-made", adminEmail: "bob@acme.example" });
    expect(status).toBe(409);
    expect(body.message).toBe(
      "An unfinished set-up of half-made has another adminEmail; send it with that one",
    );
    expect(runs.asked).toEqual([]);
  });
});

describe("a set-up that failed", () => {
  const hash = "$argon2id$v=19$x";
  const hashOf = async (slug: string) =>
    (
      await database.sql<{ hash: string }>(
        "select spec ->> 'adminPassword' as hash from public.service_tenants where slug = $1",
        [slug],
      )
    )[0]?.hash;
  const serviceOf = async (claims: JWTPayload) => {
    const { service, runs } = await serviceWith();
    const asker = await signed({ claims: { permissions: ["CREATE_TENANT"], ...claims } });
    const post = (changes: Record<string, unknown>) =>
      postSetUp(service.url, asker, tenantBody(changes));
    return { post, runs };
  };

  test.each<[string, JWTPayload, string | undefined]>([
    ["to another caller", { sub: "mallory" }, "ana"],
    ["to a caller without a name", {}, "ana"],
    ["to one with a name, where it was asked for without", { sub: "mallory" }, undefined],
    ["to another caller who may do much", { sub: "m", permissions: ["CREATE_TENANT", "*"] }, "ana"],
  ])("is a taken slug %s, whose password and admin are not taken", async (_, claims, askedBy) => {
    const { post, runs } = await serviceOf(claims);
    for (const status of [undefined, "provisioning", "deleted"]) {
      const slug = `failed-${claims.sub ?? "nobody"}-${askedBy ?? "nobody"}-${status ?? "unmade"}`;
      const id = await database.addWanted(slug, "ana@acme.example", askedBy);
      if (status !== undefined) {
        await database.addTenant(slug, { id, status, owner: ownedByService(id) });
      }
      for (const adminEmail of ["ana@acme.example", "mallory@evil.example"]) {
        const answer = await post({ slug, adminEmail });
        expect(answer.status).toBe(409);
        expect(answer.body).toEqual(taken(slug));
        expect(runs.asked).toEqual([]);
      }
      expect(await hashOf(slug)).toBe(hash);
    }
  });

  test("is resumed by the caller who asked for it, with the password that they send now", async () => {
    await database.addWanted("failed-own", "ana@acme.example", "ana");
    const { post } = await serviceOf({ sub: "ana" });
    expect((await post({ slug: "failed-own" })).status).toBe(201);
    expect(await hashOf("failed-own")).not.toBe(hash);
  });

  test("is resumed by a SUPER_ADMIN, and the first password stays", async () => {
    await database.addWanted("failed-super", "ana@acme.example", "ana");
    const { post, runs } = await serviceOf({ sub: "root", role: "SUPER_ADMIN" });
    const slug = "failed-super";
    expect((await post({ slug, adminEmail: "bob@acme.example" })).status).toBe(409);
    expect((await post({ slug, adminFirstName: "Anna" })).status).toBe(201);
    expect(runs.asked[0]).toMatchObject({ adminFirstName: "Anna", adminPassword: hash });
    expect(await hashOf("failed-super")).toBe(hash);
  });
});

describe("a tenant of this service that is deleted, which no request asks for,", () => {
  test("is told in the log, and restored when its request is sent again", async () => {
    const id = await database.addWanted("lost");
    await database.addTenant("lost", { id, status: "deleted", owner: ownedByService(id) });
    const { post, service } = await serviceWith(database.apply);
    const { status, body } = await post({ slug: "lost" });
    expect(status).toBe(201);
    expect(body.id).toBe(id);
    const told = service.log.filter((line) => line.includes("was marked deleted"));
    expect(told.map((line) => JSON.parse(line) as unknown)).toEqual([
      expect.objectContaining({ level: 40, tenant: id }),
    ]);
  });

  test("is not restored for another admin", async () => {
    const id = await database.addWanted("not-theirs");
    await database.addTenant("not-theirs", { id, status: "deleted", owner: ownedByService(id) });
    const { post, runs } = await serviceWith();
    expect((await post({ slug: "not-theirs", adminEmail: "bob@acme.example" })).status).toBe(409);
    expect(runs.asked).toEqual([]);
  });

  test.each<RunOutcome>([
    { result: "succeeded" },
    { result: "failed", faults: ["x"] },
    { result: "interrupted", faults: ["the run deleted 6 resources, which nobody asked for"] },
  ])("by its own run, is restored by the next one: $result", async (outcome) => {
    const slug = `lost-${outcome.result}`;
    let id: string | undefined;
    const { post, service, runs } = await serviceWith(async (tenant) => {
      if (id !== undefined) return database.apply(tenant);
      ({ id } = tenant);
      await database.addTenant(slug, { id, status: "deleted", owner: ownedByService(id) });
      return outcome;
    });
    const { status, body } = await post({ slug });
    expect(status).toBe(201);
    expect(body.id).toBe(id);
    expect(runs.asked).toHaveLength(2);
    expect(service.log.join("")).toMatch(
      new RegExp(
        `"tenant":"${id ?? ""}".*"msg":"the set-up of tenant ${slug}: the tenant was marked`,
      ),
    );
  });
});

describe("at once", () => {
  test("50 requests for one slug make one tenant: one 201, 49 times 409", async () => {
    const { post, runs } = await serviceWith();
    const answers = await Promise.all(Array.from({ length: 50 }, () => post({ slug: "race" })));
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([201, ...Array<number>(49).fill(409)]);
    expect(runs.asked).toHaveLength(1);
  });

  test("and on two instances: still one", async () => {
    const [one, other] = [await serviceWith(), await serviceWith()];
    const answers = await Promise.all(
      [one, other, one, other, one, other].map(({ post }) => post({ slug: "two-instances" })),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([201, 409, 409, 409, 409, 409]);
    expect([...one.runs.asked, ...other.runs.asked]).toHaveLength(1);
  });

  test("a request that failed lets the next one for its slug try", async () => {
    let tries = 0;
    const { post } = await serviceWith((tenant) =>
      ++tries === 1 ? fail("broken") : succeed(tenant),
    );
    expect((await post({ slug: "again" })).status).toBe(500);
    expect((await post({ slug: "again" })).status).toBe(201);
  });

  test("four slugs run beside each other, and no more", async () => {
    let running = 0;
    let most = 0;
    const { post } = await serviceWith(async (tenant) => {
      most = Math.max(most, ++running);
      await eventually(async () => {
        const accepted = await database.sql(
          "select from public.operations where slug ~ '^p[1-6]x$'",
        );
        return (most >= 4 && accepted.length === 6) || undefined;
      });
      // A fifth run, which must not begin, would begin in this time. Where a slow machine lets it begin later, the
      // test does not notice it; where the code is right, the test never fails.
      await delay(500);
      const outcome = await succeed(tenant);
      running -= 1;
      return outcome;
    });
    const slugs = ["p1x", "p2x", "p3x", "p4x", "p5x", "p6x"];
    const answers = await Promise.all(slugs.map((slug) => post({ slug })));
    expect(answers.map(({ status }) => status)).toEqual(slugs.map(() => 201));
    expect(most).toBe(4);
  });
});

describe("a run that fails", () => {
  test("is answered with a reference and nothing else; the operator's log has the rest", async () => {
    const { post, failures } = await serviceWith(() =>
      fail('step migrations: 0004.sql failed: pq: column "id" specified twice (42701)'),
    );
    const { status, body } = await post({ slug: "broken" });
    const [, reference] = /by reference ([0-9a-f-]{36})/.exec(body.message ?? "") ?? [];
    expect(status).toBe(500);
    expect(Object.keys(body)).toEqual(["statusCode", "message", "error", "code"]);
    expect(JSON.stringify(body)).not.toMatch(/migrations|sql|pq/);
    expect(failures()).toHaveLength(1);
    expect(JSON.parse(failures()[0] ?? "")).toMatchObject({
      level: 50,
      msg: "the set-up of tenant broken failed",
      reference,
      err: {
        faults: ['step migrations: 0004.sql failed: pq: column "id" specified twice (42701)'],
      },
    });
  });

  test("and says a secret to the log leaves it there redacted", async () => {
    const { post, service, failures } = await serviceWith(() =>
      fail(
        `cannot open postgres://app:hunter22@db/x`,
        `$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA`,
      ),
    );
    await post({ slug: "leaky" });
    expect(failures()[0]).toContain("postgres://[redacted]@db/x");
    expect(service.log.join("")).not.toMatch(/hunter22|aGFzaA/);
  });

  test("although the tenant is active is done again, until the state is saved", async () => {
    let runs = 0;
    const { post, service } = await serviceWith(async (tenant) => {
      runs += 1;
      if (runs === 1) await succeed(tenant);
      return runs < 3 ? fail("the state could not be saved") : { result: "succeeded" };
    });
    expect((await post({ slug: "unsaved" })).status).toBe(201);
    expect(runs).toBe(3);
    expect(service.log.join("")).toContain(
      "the set-up of tenant unsaved is done, and its state is not saved",
    );
  });

  test("because the database is another one, or data is gone, is not done again", async () => {
    let runs = 0;
    const { post, service } = await serviceWith(async (slug) => {
      runs += 1;
      await succeed(slug);
      return { result: "refused", faults: ["OTHER_DATABASE: this database is a copy of app"] };
    });
    expect((await post({ slug: "copied" })).status).toBe(500);
    expect(runs).toBe(1);
    expect(service.log.join("")).toContain("OTHER_DATABASE: this database is a copy of app");
  });

  test("although the engine says it succeeded is a failure", async () => {
    const { post, failures } = await serviceWith(() => Promise.resolve({ result: "succeeded" }));
    expect((await post({ slug: "nothing-made" })).status).toBe(500);
    expect(JSON.parse(failures()[0] ?? "")).toMatchObject({
      err: { faults: ["the engine tells of no fault, and the tenant is not there"] },
    });
  });

  test("of an error that nobody foresaw is answered alike", async () => {
    const { post, service } = await serviceWith(() => Promise.reject(new TypeError("x is not y")));
    const { status, body } = await post({ slug: "unforeseen" });
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain("x is not y");
    expect(service.log.join("")).toContain("TypeError: x is not y");
  });

  test("is in the log also when the caller hung up before", async () => {
    const caller = new AbortController();
    const { service, failures } = await serviceWith(async () => {
      caller.abort();
      await eventually(() => service.log.join("").includes("the caller hung up") || undefined);
      return fail("too late");
    });
    const request = fetch(`${service.url}/api/tenant/setup`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify(tenantBody({ slug: "hung-up" })),
      signal: caller.signal,
    });
    await expect(request).rejects.toThrow();
    await eventually(() => failures().length > 0 || undefined);
    expect(service.log.join("")).toContain("too late");
  });
});

test("a set-up goes on when its caller hangs up", async () => {
  const caller = new AbortController();
  const { service } = await serviceWith(async (tenant) => {
    caller.abort();
    await eventually(() => service.log.join("").includes("the caller hung up") || undefined);
    return succeed(tenant);
  });
  const request = fetch(`${service.url}/api/tenant/setup`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify(tenantBody({ slug: "goes-on" })),
    signal: caller.signal,
  });
  await expect(request).rejects.toThrow();
  const ended = "select from public.operations where slug = 'goes-on' and applied_at is not null";
  await eventually(async () => (await database.sql(ended)).length > 0 || undefined);
  const rows = await database.sql("select status from public.tenants where slug = 'goes-on'");
  expect(rows).toEqual([{ status: "active" }]);
});

describe("503, and one line that says which", () => {
  const unavailable = {
    statusCode: 503,
    message: "Not possible just now; send the request again",
    error: "Service Unavailable",
    code: "UNAVAILABLE",
  };

  test("the engine is down", async () => {
    const { post, runs, service, failures } = await serviceWith(() =>
      fail("error: unable to open bucket"),
    );
    runs.trouble = "unable to open bucket postgres://x:secretpw@h/d";
    const { status, body, headers } = await post({ slug: "no-engine" });
    expect(status).toBe(503);
    expect(body).toEqual(unavailable);
    expect(headers.get("retry-after")).toBe("5");
    expect(failures().filter((line) => line.includes('"level":50'))).toHaveLength(1);
    expect(failures().at(-1)).toContain("the Pulumi engine is down: unable to open bucket");
    expect(runs.asked).toHaveLength(6);
    expect(service.log.join("")).not.toContain("secretpw");
  });

  test("a run found no engine, which works again by the time that it is asked", async () => {
    const { post, runs, failures } = await serviceWith(() =>
      Promise.resolve({ result: "no engine", faults: ["no program host starts: spawn EAGAIN"] }),
    );
    expect((await post({ slug: "engine-was-away" })).body).toEqual(unavailable);
    expect(runs.asked).toHaveLength(6);
    expect(failures().at(-1)).toContain(
      "the Pulumi engine is down: no program host starts: spawn EAGAIN",
    );
  });

  test("another run holds the stack", async () => {
    const { post, failures } = await serviceWith(() =>
      Promise.resolve({ result: "locked", faults: ["the stack is currently locked by 1 lock(s)"] }),
    );
    expect((await post({ slug: "held" })).body).toEqual(unavailable);
    expect(failures()[0]).toContain("the stack of tenant held is locked");
  });

  test("the database is down", async () => {
    const { post, runs, service, failures } = await serviceWith();
    database.moveHandle("postgres://app:s3cr3tpw@127.0.0.1:1/app");
    const { status, body } = await post({ slug: "no-database" });
    database.moveHandle();
    expect(status).toBe(503);
    expect(body).toEqual(unavailable);
    expect(runs.asked).toEqual([]);
    expect(failures()).toHaveLength(1);
    expect(failures()[0]).toContain("the database is down: ");
    expect(service.log.join("")).not.toContain("s3cr3tpw");
  });

  test("the database takes no more connections", async () => {
    const { post, service } = await serviceWith();
    const { username } = new URL(database.url());
    await database.asSuperuser(`alter role ${username} connection limit 0`);
    await database.asSuperuser(
      `select pg_terminate_backend(pid) from pg_stat_activity
      where usename = '${username}' and application_name = 'pulumi-tenant'`,
    );
    const answer = await post({ slug: "refused" });
    await database.asSuperuser(`alter role ${username} connection limit -1`);
    expect(answer.status).toBe(503);
    expect(service.log.join("")).toContain("the database is down: ");
  });
});

test("a set-up whose database goes down while the engine runs is finished when it is back", async () => {
  let runs = 0;
  const { post } = await serviceWith(async (tenant) => {
    if (++runs > 1) return succeed(tenant);
    database.moveHandle("postgres://app@127.0.0.1:1/app");
    setTimeout(() => database.moveHandle(), 500);
    return fail("step record: connect ECONNREFUSED 127.0.0.1:1");
  });
  expect((await post({ slug: "goes-down" })).status).toBe(201);
  expect(runs).toBe(2);
});
