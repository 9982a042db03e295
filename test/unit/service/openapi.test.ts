import { spawnSync } from "node:child_process";
import path from "node:path";
import { assertDescribed, description } from "../../support/described";
import { readDoc } from "../../support/docs";

const base = "http://127.0.0.1:3000";
const id = "6f1e8a52-9c1f-4a7e-8d3b-0a5f4c2b7e10";

test("the addresses that are described are those of docs/http-api.md", () => {
  const [, addresses = ""] = /^## Addresses$([^]*?)^## /m.exec(readDoc("docs/http-api.md")) ?? [];
  const told = [...addresses.matchAll(/^\| `(GET|POST|PATCH|DELETE) ([^ ]+)`/gm)]
    .map(([, method = "", address = ""]) => `${method.toLowerCase()} ${address}`)
    .flatMap((text) =>
      text.endsWith("/pause")
        ? ["pause", "resume", "cancel"].map((verb) => text.replace("pause", verb))
        : [text],
    );
  const described = Object.entries(description.paths ?? {}).flatMap(([address, methods]) =>
    Object.keys(methods).map((method) => `${method} ${address}`),
  );
  expect(described.sort()).toEqual(told.sort());
});

test("each tells its permission, and what it answers where the token, the request or the service is at fault", () => {
  for (const methods of Object.values(description.paths ?? {})) {
    for (const { description: needs, security, responses } of Object.values(methods) as {
      description: string;
      security: object[];
      responses: object;
    }[]) {
      expect(needs).toMatch(/^Needs ([A-Z]+_TENANTS?|no token|any valid token)\.$/);
      const open = needs === "Needs no token.";
      expect(security).toEqual(open ? [] : [{ token: [] }]);
      const always = ["400", ...(open ? [] : ["401"]), "500", "503"];
      expect(Object.keys(responses)).toEqual(expect.arrayContaining(always));
    }
  }
});

test("what a body must be is told with its lengths, and with an example", () => {
  const setUp = description.paths?.["/api/tenant/setup"]?.post?.requestBody;
  expect(setUp).toMatchObject({
    required: true,
    content: {
      "application/json": {
        schema: {
          additionalProperties: false,
          example: { slug: "acme-corp" },
          properties: {
            name: { type: "string", minLength: 1, maxLength: 200 },
            slug: { type: "string", minLength: 3, maxLength: 63 },
          },
          required: ["name", "slug", "adminEmail", "adminFirstName", "adminLastName"],
        },
      },
    },
  });
});

test.each([
  ["a field that is missing", "GET", `/api/tenant/${id}/drift`, 200, { drifted: false }],
  ["one too many", "GET", "/healthz", 200, { status: "ok", since: 1 }],
  ["a value of another type", "GET", "/readyz", 200, { status: "ready", slow: 3 }],
  ["a status that is not there", "GET", "/healthz", 418, {}],
  ["a body where there is none", "POST", `/api/tenant/${id}/purge`, 204, {}],
  ["an address that is not there", "GET", "/api/nothing", 200, {}],
])("an answer that differs is noticed: %s", (_what, method, address, status, body) => {
  expect(() => assertDescribed(method, `${base}${address}`, { status, body })).toThrow(/described/);
});

test("npm run openapi prints it, and needs no environment", () => {
  const program = path.resolve(__dirname, "../../../service/openapi.js");
  const { status, stdout } = spawnSync(process.execPath, [program], { env: {}, encoding: "utf8" });
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual(JSON.parse(JSON.stringify(description)));
});
