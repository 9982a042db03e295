import type { JWTPayload } from "jose" with { "resolution-mode": "import" };
import {
  noEngine,
  startService,
  startServiceApp,
  type ServiceApp,
  type ServiceAppOptions,
} from "../../support/service-app";
import { send, tenantBody } from "../../support/service-client";
import { useServiceDatabase } from "../../support/service-database";
import { signed } from "../../support/service-tokens";

const database = useServiceDatabase();
const services: ServiceApp[] = [];

/** The service without anybody who works on what it accepts. */
async function start(options: ServiceAppOptions = {}): Promise<ServiceApp> {
  const service = await startServiceApp(database.handle, noEngine(), options);
  services.push(service);
  return service;
}

const tokenOf = (claims: JWTPayload) => signed({ expiresIn: 600, claims });
const creator = (sub?: string) =>
  tokenOf({ ...(sub === undefined ? {} : { sub }), permissions: ["CREATE_TENANT"] });

let service: ServiceApp;
/** The path of each route, by what it shows. */
let paths: Record<string, string>;

beforeAll(async () => {
  // Makes the queue's tables.
  await (await startService(database.handle, noEngine())).close();
  service = await start();
  const ask = async (slug: string, token: string) => {
    const { status, body } = await post(service, slug, token);
    expect(status).toBe(202);
    return String(body.id);
  };
  const askers = await ask("of-the-asker", await creator("asker"));
  const nobodys = await ask("of-nobody", await creator());
  const tenant = await database.addTenant("a-tenant");
  paths = {
    "POST /setup": "/api/tenant/setup",
    "GET list": "/api/tenant",
    "GET mine": "/api/tenant/mine",
    "GET operations": "/api/operations",
    "GET tenant": `/api/tenant/${tenant}`,
    "PATCH tenant": `/api/tenant/${tenant}`,
    "GET drift": `/api/tenant/${tenant}/drift`,
    "POST repair": `/api/tenant/${tenant}/repair`,
    "GET export": `/api/tenant/${tenant}/export`,
    "POST release": `/api/tenant/${tenant}/release`,
    "POST adopt": "/api/tenant/adopt",
    "GET operation": `/api/operations/${askers}`,
    "GET events": `/api/operations/${askers}/events`,
    "GET operation of nobody": `/api/operations/${nobodys}`,
    "GET events of nobody": `/api/operations/${nobodys}/events`,
  };
});
afterAll(() => Promise.all(services.map((each) => each.close())));

function post({ url }: ServiceApp, slug: string, token: string, key?: string) {
  return send(`${url}/api/tenant/setup`, {
    ...{ method: "POST", token, body: tenantBody({ slug, adminEmail: `ana@${slug}.example` }) },
    headers: { Prefer: "respond-async", ...(key === undefined ? {} : { "Idempotency-Key": key }) },
  });
}

/** Who calls, and what each route answers, in the order of `routes`. */
const callers: [string, () => Promise<string> | undefined, number[]][] = [
  [
    "nobody",
    () => undefined,
    [401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401],
  ],
  [
    "a forger with the asker's name",
    () =>
      signed({
        claims: { sub: "asker", role: "SUPER_ADMIN" },
        key: Buffer.from("another-secret-0123456789-abcdefghijkl"),
      }),
    [401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401],
  ],
  [
    "the asker, when their token has expired",
    () => signed({ claims: { sub: "asker", role: "SUPER_ADMIN" }, expiresIn: -1 }),
    [401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401],
  ],
  [
    "the asker",
    () => creator("asker"),
    [400, 403, 403, 403, 200, 200, 404, 404, 200, 403, 403, 403, 403, 403, 403],
  ],
  [
    "the asker, without a permission",
    () => tokenOf({ sub: "asker" }),
    [403, 403, 403, 403, 200, 200, 404, 404, 200, 403, 403, 403, 403, 403, 403],
  ],
  [
    "another creator",
    () => creator("other"),
    [400, 403, 403, 403, 404, 404, 404, 404, 200, 403, 403, 403, 403, 403, 403],
  ],
  [
    "another creator, whose name differs in case",
    () => creator("Asker"),
    [400, 403, 403, 403, 404, 404, 404, 404, 200, 403, 403, 403, 403, 403, 403],
  ],
  [
    "somebody else without a permission",
    () => tokenOf({ sub: "other" }),
    [403, 403, 403, 403, 404, 404, 404, 404, 200, 403, 403, 403, 403, 403, 403],
  ],
  [
    "a creator without a name",
    () => creator(),
    [400, 403, 403, 403, 404, 404, 404, 404, 200, 403, 403, 403, 403, 403, 403],
  ],
  [
    "a creator whose name is empty",
    () => creator(""),
    [401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401],
  ],
  [
    "a token without a name and permission",
    () => tokenOf({}),
    [403, 403, 403, 403, 404, 404, 404, 404, 200, 403, 403, 403, 403, 403, 403],
  ],
  [
    "a viewer",
    () => tokenOf({ sub: "viewer", permissions: ["VIEW_TENANTS"] }),
    [403, 403, 200, 200, 200, 200, 200, 200, 200, 200, 200, 403, 403, 403, 403],
  ],
  [
    "a viewer without a name",
    () => tokenOf({ permissions: ["VIEW_TENANTS"] }),
    [403, 403, 200, 200, 200, 200, 200, 200, 200, 200, 200, 403, 403, 403, 403],
  ],
  [
    "one with a permission that is none",
    () => tokenOf({ sub: "other", permissions: ["view_tenants", "VIEW", "*"] }),
    [403, 403, 403, 403, 404, 404, 404, 404, 200, 403, 403, 403, 403, 403, 403],
  ],
  [
    "an updater",
    () => tokenOf({ sub: "updater", permissions: ["UPDATE_TENANT"] }),
    [403, 400, 403, 403, 404, 404, 404, 404, 200, 403, 403, 409, 403, 409, 400],
  ],
  [
    "a SUPER_ADMIN",
    () => tokenOf({ sub: "root", role: "SUPER_ADMIN" }),
    [400, 400, 200, 200, 200, 200, 200, 200, 200, 200, 200, 409, 409, 409, 400],
  ],
  [
    "an exporter",
    () => tokenOf({ sub: "exporter", permissions: ["EXPORT_TENANT"] }),
    // The tenant has no schema.
    [403, 403, 403, 403, 404, 404, 404, 404, 200, 403, 403, 403, 409, 403, 403],
  ],
];

const routes = [
  ...["POST /setup", "PATCH tenant", "GET list", "GET tenant", "GET operation", "GET events"],
  ...["GET operation of nobody", "GET events of nobody", "GET mine", "GET operations"],
  ...["GET drift", "POST repair", "GET export", "POST release", "POST adopt"],
];

describe.each(callers)("%s", (_, tokenFor, statuses) => {
  test.each(routes.map((route, number): [string, number] => [route, statuses[number] ?? 0]))(
    "%s: %i",
    async (route, status) => {
      const token = await tokenFor();
      const [method = ""] = route.split(" ");
      const response = await fetch(`${service.url}${String(paths[route])}`, {
        method,
        headers: {
          "Content-Type": "application/json",
          ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        },
        // 400 says that the token was good for it.
        ...(method === "GET" ? {} : { body: "{}" }),
      });
      // The events of an operation that waits go on.
      if (response.ok) await response.body?.cancel();
      expect(response.status).toBe(status);
      if (response.ok) return;
      // What it may not see is in the refusal in no form.
      const told = await response.text();
      expect(JSON.parse(told)).toMatchObject({ statusCode: status });
      expect(told).not.toMatch(/of-the-asker|of-nobody|a-tenant|queued|ana@|Acme/);
    },
  );
});

test.each(["GET operation", "GET events"])(
  "%s of another and of nobody are refused in the same words: nobody learns which is there",
  async (route) => {
    const token = await creator("other");
    const response = await fetch(`${service.url}${String(paths[route])}`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    // Shown after all, its events would go on for ever.
    if (response.ok) await response.body?.cancel();
    expect(response.status).toBe(404);
    const there: unknown = await response.json();
    const absent = String(paths[route]).replace(
      /[\da-f-]{36}/,
      "a4f0ac1e-6c13-4d87-9b0a-0a3c2a1f6f11",
    );
    const missing = await send(`${service.url}${absent}`, { token });
    expect(missing.status).toBe(404);
    expect(missing.body).toEqual(there);
  },
);

describe("tokens without a name", () => {
  test("share one rate, and leave the rate of others alone", async () => {
    const limited = await start({ ratePerMinute: 2 });
    const ask = async (token: string) => (await post(limited, "x", token)).status;
    expect(await ask(await creator())).toBe(400);
    expect(await ask(await creator())).toBe(400);
    const another = await tokenOf({ permissions: ["CREATE_TENANT"], jti: "another" });
    expect(await ask(another)).toBe(429);
    expect(await ask(await creator("asker"))).toBe(400);
  });

  test("share their idempotency keys, with nobody else", async () => {
    const first = await post(service, "keyed", await creator(), "a-key");
    const again = await post(service, "keyed", await creator(), "a-key");
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(again.body.id).toBe(first.body.id);
    expect((await post(service, "keyed-2", await creator(), "a-key")).status).toBe(422);
    const named = await post(service, "keyed-3", await creator("asker"), "a-key");
    expect(named.status).toBe(202);
    expect(named.body.slug).toBe("keyed-3");
  });

  test("share the places of event streams, and leave the places of others alone", async () => {
    const limited = await start({ streams: { perSubject: 1, total: 10 } });
    const open = async (claims: JWTPayload) =>
      fetch(`${limited.url}${String(paths["GET events"])}`, {
        headers: { Authorization: `Bearer ${await tokenOf(claims)}` },
      });
    const permissions = ["VIEW_TENANTS"];
    const first = await open({ permissions });
    expect(first.status).toBe(200);
    expect((await open({ permissions, jti: "another" })).status).toBe(429);
    const named = await open({ permissions, sub: "viewer" });
    expect(named.status).toBe(200);
    for (const { body } of [first, named]) await body?.cancel();
  });
});
