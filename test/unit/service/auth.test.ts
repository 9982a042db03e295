import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { jwtPublicKey, type TokenSettings } from "../../../service/auth/token-settings";
import { noDatabase, noEngine, startServiceApp, type ServiceApp } from "../../support/service-app";
import { send, type Answer } from "../../support/service-client";
import { forged, signed, testSecret } from "../../support/service-tokens";

const services: ServiceApp[] = [];
afterAll(() => Promise.all(services.map((service) => service.close())));

async function serviceWith(tokens: Partial<TokenSettings> = {}): Promise<ServiceApp> {
  const service = await startServiceApp(noDatabase, noEngine(), { tokens });
  services.push(service);
  return service;
}

/** Sends a body that breaks the rules: 400 says that the token was good. */
async function answerTo(service: ServiceApp, authorization?: string): Promise<Answer> {
  return send(`${service.url}/api/tenant/setup`, {
    method: "POST",
    body: {},
    ...(authorization === undefined ? {} : { headers: { Authorization: authorization } }),
  });
}

const permissions = ["CREATE_TENANT"];
const soon = Math.floor(Date.now() / 1000) + 60;

describe("a token", () => {
  let service: ServiceApp;
  beforeAll(async () => {
    service = await serviceWith();
  });

  test("that permits CREATE_TENANT is let through", async () => {
    expect((await answerTo(service, `Bearer ${await signed()}`)).status).toBe(400);
    expect((await answerTo(service, `bearer  ${await signed()}`)).status).toBe(400);
  });

  test("of a SUPER_ADMIN needs no permission", async () => {
    const token = await signed({ claims: { role: "SUPER_ADMIN" } });
    expect((await answerTo(service, `Bearer ${token}`)).status).toBe(400);
  });

  test("that is missing is asked for", async () => {
    const { status, headers, body } = await answerTo(service);
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toBe("Bearer");
    expect(body).toEqual({
      statusCode: 401,
      message: "A bearer token is needed",
      error: "Unauthorized",
      code: "UNAUTHENTICATED",
    });
  });

  test("of another scheme is asked for", async () => {
    const { status, headers } = await answerTo(service, "Basic YWRtaW46YWRtaW4=");
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toBe("Bearer");
  });

  test("that has expired is refused, and says so", async () => {
    const { status, headers, body } = await answerTo(
      service,
      `Bearer ${await signed({ expiresIn: -1 })}`,
    );
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
    expect(body.message).toBe("The token has expired");
  });

  const bad: [string, () => Promise<string> | string][] = [
    ["is empty", () => ""],
    ["is no token", () => "x.y.z"],
    ["has two parts", () => "eyJhbGciOiJIUzI1NiJ9.e30"],
    ["is followed by something else", async () => `${await signed()} ${await signed()}`],
    ["is signed with another secret", () => signed({ key: Buffer.from(`${testSecret}x`) })],
    ["has no end", () => signed({ expiresIn: null })],
    ["is not valid yet", () => signed({ claims: { permissions, nbf: soon } })],
    [
      "is signed by a longer hash",
      () => signed({ algorithm: "HS512", key: Buffer.alloc(64, testSecret) }),
    ],
    [
      "was changed after it was signed",
      async () => (await signed()).replace(/\.[^.]+\./, `.${changed}.`),
    ],
    ["names no algorithm", () => forged({ alg: "none" }, { permissions, exp: soon })],
    [
      "names no algorithm in other letters",
      () => forged({ alg: "NoNe" }, { permissions, exp: soon }),
    ],
    [
      "asks for something we do not know",
      () => forged({ alg: "HS256", crit: ["x"], x: 1 }, { permissions }),
    ],
  ];
  const changed = Buffer.from(JSON.stringify({ role: "SUPER_ADMIN", exp: soon })).toString(
    "base64url",
  );

  test.each(bad)("that %s is refused", async (_, token) => {
    const { status, headers, body } = await answerTo(service, `Bearer ${await token()}`);
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
    expect(body).toEqual({
      statusCode: 401,
      message: "The token is not valid",
      error: "Unauthorized",
      code: "UNAUTHENTICATED",
    });
  });

  test.each([
    ["has no permissions", {}],
    ["has other permissions", { permissions: ["VIEW_TENANTS"] }],
    ["has its permissions in a text", { permissions: "CREATE_TENANT" }],
    ["has more than texts among its permissions", { permissions: ["CREATE_TENANT", 7] }],
    ["has its permissions in another claim", { scope: "CREATE_TENANT" }],
    ["has another role", { role: "ADMIN" }],
    ["has a list of roles", { role: ["SUPER_ADMIN"] }],
    ["has the role in other letters", { role: "super_admin" }],
  ])("that %s permits nothing", async (_, claims) => {
    const { status, headers, body } = await answerTo(service, `Bearer ${await signed({ claims })}`);
    expect(status).toBe(403);
    expect(headers.get("www-authenticate")).toBe('Bearer error="insufficient_scope"');
    expect(body).toEqual({
      statusCode: 403,
      message: "The token does not permit CREATE_TENANT",
      error: "Forbidden",
      code: "PERMISSION_DENIED",
    });
  });

  test("to create tenants shows none", async () => {
    const token = await signed({ claims: { permissions } });
    const answer = await send(`${service.url}/api/tenant`, { token });
    expect(answer.status).toBe(403);
    expect(answer.body.message).toBe("The token does not permit VIEW_TENANTS");
  });
});

describe("issuer and audience", () => {
  test.each([
    ["as configured pass", { iss: "https://id.example", aud: "tenants" }, 400],
    [
      "one of several audiences passes",
      { iss: "https://id.example", aud: ["other", "tenants"] },
      400,
    ],
    ["of another issuer do not", { iss: "https://evil.example", aud: "tenants" }, 401],
    ["of another audience do not", { iss: "https://id.example", aud: "billing" }, 401],
    ["without either do not", {}, 401],
  ])("%s", async (_, claims, status) => {
    const service = await serviceWith({ issuer: "https://id.example", audience: "tenants" });
    const token = await signed({ claims: { permissions, ...claims } });
    expect((await answerTo(service, `Bearer ${token}`)).status).toBe(status);
  });
});

describe("a public key", () => {
  const keys: [string, { publicKey: KeyObject; privateKey: KeyObject }][] = [
    ["RS256", generateKeyPairSync("rsa", { modulusLength: 2048 })],
    ["ES256", generateKeyPairSync("ec", { namedCurve: "P-256" })],
    ["EdDSA", generateKeyPairSync("ed25519")],
  ];

  test.each(keys)("verifies %s, and no secret made of it does", async (algorithm, pair) => {
    const pem = pair.publicKey.export({ type: "spki", format: "pem" }).toString();
    const service = await serviceWith(jwtPublicKey.parse(pem));
    const good = await signed({ algorithm, key: pair.privateKey });
    expect((await answerTo(service, `Bearer ${good}`)).status).toBe(400);
    for (const text of [pem, pem.trim()]) {
      const confused = await signed({ key: Buffer.from(text) });
      expect((await answerTo(service, `Bearer ${confused}`)).status).toBe(401);
    }
  });

  test("verifies no algorithm of another key's type", async () => {
    const [[, rsa]] = keys as [(typeof keys)[number]];
    const pem = rsa.publicKey.export({ type: "spki", format: "pem" }).toString();
    const service = await serviceWith(jwtPublicKey.parse(pem));
    const token = await signed({ algorithm: "PS256", key: rsa.privateKey });
    expect((await answerTo(service, `Bearer ${token}`)).status).toBe(401);
  });
});
