import { createSecretKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { jwtPublicKey, type TokenSettings } from "../../../service/auth/token-settings";
import { noDatabase, noEngine, startServiceApp, type ServiceApp } from "../../support/service-app";
import { send } from "../../support/service-client";
import { testSecret } from "../../support/service-tokens";

const services: ServiceApp[] = [];
afterAll(() => Promise.all(services.map((service) => service.close())));

const issuer = "https://id.example";
const audience = "tenants";

/** The service that takes tokens of this issuer, for this audience. */
async function start(tokens: Partial<TokenSettings>): Promise<ServiceApp> {
  const service = await startServiceApp(noDatabase, noEngine(), {
    tokens: { issuer, audience, ...tokens },
  });
  services.push(service);
  return service;
}

/** Who signs, and another one with a key of the same type. */
interface Signer {
  readonly key: KeyObject;
  readonly stranger: KeyObject;
  /** Of the service's settings; none where it has the tests' secret. */
  readonly publicKey?: KeyObject;
}

function pairs(make: () => { publicKey: KeyObject; privateKey: KeyObject }): Signer {
  const { publicKey, privateKey } = make();
  return { key: privateKey, stranger: make().privateKey, publicKey };
}

const secretOf = (text: string) => createSecretKey(text, "utf8");
const rsa = pairs(() => generateKeyPairSync("rsa", { modulusLength: 2048 }));
const edwards = pairs(() => generateKeyPairSync("ed25519"));

const signers: [string, Signer][] = [
  ["HS256", { key: secretOf(testSecret), stranger: secretOf(`${testSecret}x`) }],
  ["RS256", rsa],
  ["ES256", pairs(() => generateKeyPairSync("ec", { namedCurve: "P-256" }))],
  ["EdDSA", edwards],
  ["Ed25519", edwards],
];

const now = () => Math.floor(Date.now() / 1000);
const good = () => ({
  ...{ iss: issuer, aud: audience, sub: "ci", permissions: ["CREATE_TENANT"] },
  exp: now() + 600,
});
const without = (claim: string) => ({ ...good(), [claim]: undefined });

/** What is wrong with a token whose signature is right. */
const faults: [string, () => unknown, header?: Record<string, unknown>][] = [
  ["has expired", () => ({ ...good(), exp: now() - 1 })],
  ["has no end", () => without("exp")],
  ["has an end that is a text", () => ({ ...good(), exp: String(now() + 600) })],
  ["has an end that is null", () => ({ ...good(), exp: null })],
  ["is not valid yet", () => ({ ...good(), nbf: now() + 600 })],
  ["is valid from a minute on", () => ({ ...good(), nbf: now() + 60 })],
  ["is valid from a text on", () => ({ ...good(), nbf: String(now()) })],
  ["has a number for its subject", () => ({ ...good(), sub: 7 })],
  ["has null for its subject", () => ({ ...good(), sub: null })],
  ["has a list of subjects", () => ({ ...good(), sub: ["ci"] })],
  ["has an empty subject", () => ({ ...good(), sub: "" })],
  ["has a NUL in its subject", () => ({ ...good(), sub: "ci\0" })],
  ["has a line break in its subject", () => ({ ...good(), sub: "ci\n" })],
  ["has half a character in its subject", () => ({ ...good(), sub: "ci\ud83d" })],
  ["has a subject of 4 KB", () => ({ ...good(), sub: "x".repeat(4_096) })],
  ["has a subject of 256 characters", () => ({ ...good(), sub: "x".repeat(256) })],
  ["ended a moment ago, whatever the skew of the beginning", () => ({ ...good(), exp: now() - 2 })],
  ["is of a foreign issuer", () => ({ ...good(), iss: "https://evil.example" })],
  ["is of an issuer that begins alike", () => ({ ...good(), iss: `${issuer}.evil.example` })],
  ["names no issuer", () => without("iss")],
  ["is for a foreign audience", () => ({ ...good(), aud: "billing" })],
  ["is for several foreign audiences", () => ({ ...good(), aud: ["billing", "tenants-2"] })],
  ["is for an empty list of audiences", () => ({ ...good(), aud: [] })],
  ["names no audience", () => without("aud")],
  ["is a list", () => [good()]],
  ["is a text", () => "CREATE_TENANT"],
  ["is null", () => null],
  ["wants an extension understood", good, { crit: ["x"], x: 1 }],
  ["wants its end understood, and has it in its header", good, { crit: ["exp"], exp: 1 }],
];

/** Really signs what may break every rule of a token. */
async function sign(
  alg: string,
  key: KeyObject,
  claims: unknown,
  header: Record<string, unknown> = {},
): Promise<string> {
  const { CompactSign } = await import("jose");
  const crit = Object.fromEntries(((header.crit ?? []) as string[]).map((name) => [name, true]));
  return new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ ...header, alg })
    .sign(key, { crit });
}

describe.each(signers)("signed by %s, a token", (alg, { key, stranger, publicKey }) => {
  let service: ServiceApp;
  beforeAll(async () => {
    const pem = publicKey?.export({ type: "spki", format: "pem" });
    service = await start(pem === undefined ? {} : jwtPublicKey.parse(pem));
  });

  /** Sends a body that breaks the rules: 400 says that the token was good. */
  const answerTo = (token: string) =>
    send(`${service.url}/api/tenant/setup`, { method: "POST", body: {}, token });

  test.each([
    ["that is as it should be", good],
    ["for several audiences, ours among them", () => ({ ...good(), aud: ["billing", audience] })],
    ["of a clock that is 20 s ahead", () => ({ ...good(), nbf: now() + 20 })],
    ["with a subject of 255 characters", () => ({ ...good(), sub: "é".repeat(255) })],
    ["without a subject", () => without("sub")],
  ])("%s is let through", async (_, claims) => {
    expect((await answerTo(await sign(alg, key, claims()))).status).toBe(400);
  });

  test.each(faults)("that %s is refused", async (...[, claims, header]) => {
    const { status, headers } = await answerTo(await sign(alg, key, claims(), header));
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
  });

  test("of a stranger's key is refused", async () => {
    expect((await answerTo(await sign(alg, stranger, good()))).status).toBe(401);
  });

  test("whose claims were changed after it was signed is refused", async () => {
    const [head = "", , signature = ""] = (await sign(alg, key, good())).split(".");
    const claims = Buffer.from(JSON.stringify({ ...good(), role: "SUPER_ADMIN" }));
    const changed = [head, claims.toString("base64url"), signature].join(".");
    expect((await answerTo(changed)).status).toBe(401);
  });

  test("without its signature is refused", async () => {
    const [head = "", claims = ""] = (await sign(alg, key, good())).split(".");
    expect((await answerTo(`${head}.${claims}.`)).status).toBe(401);
  });
});

test.each([
  ["HS384", secretOf(testSecret.repeat(2)), {}],
  ["RS512", rsa.key, rsa],
  ["PS256", rsa.key, rsa],
])(
  "%s is not among the algorithms, whoever signs",
  async (alg, key, { publicKey }: Partial<Signer>) => {
    const verification: Partial<TokenSettings> = publicKey
      ? jwtPublicKey.parse(publicKey.export({ type: "spki", format: "pem" }))
      : { key };
    const service = await start(verification);
    const answerTo = async (name: string) => {
      const token = await sign(name, key, good());
      return send(`${service.url}/api/tenant/setup`, { method: "POST", body: {}, token });
    };
    // The same key is good with the one algorithm that is.
    expect((await answerTo(publicKey ? "RS256" : "HS256")).status).toBe(400);
    expect((await answerTo(alg)).status).toBe(401);
  },
);
