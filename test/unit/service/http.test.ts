import { connect } from "node:net";
import { send, tenantBody, type Answer } from "../../support/service-client";
import { noDatabase, noEngine, startServiceApp, type ServiceApp } from "../../support/service-app";
import { signed } from "../../support/service-tokens";

let service: ServiceApp;
let token: string;

beforeAll(async () => {
  service = await startServiceApp(noDatabase, noEngine());
  token = await signed();
});
afterAll(() => service.close());

const setUp = () => `${service.url}/api/tenant/setup`;

function post(body: unknown, headers?: Record<string, string>): Promise<Answer> {
  return send(setUp(), { method: "POST", token, body, ...(headers && { headers }) });
}

/** A body of so many bytes that is JSON. */
const bytes = (size: number) => JSON.stringify({ name: "x".repeat(size - 11) });

describe("the body", () => {
  test.each([
    ["that is not JSON", "{"],
    ["that is empty", ""],
    ["that is not UTF-8", Buffer.from([0x7b, 0xff, 0x7d])],
    ["that never closes what it opens", "[".repeat(16_000)],
  ])("%s is refused as no JSON", async (_, body) => {
    const response = await fetch(setUp(), {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body,
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      statusCode: 400,
      message: "The request is not valid",
      error: "Bad Request",
      code: "INVALID_REQUEST",
      details: [{ path: "", message: "must be JSON in UTF-8" }],
    });
  });

  test.each([
    ["null", null],
    ["a list", []],
    ["a text", "acme"],
    ["a number", 7],
    ["lists in lists, 8,000 deep", "[".repeat(8_000) + "]".repeat(8_000)],
  ])("that is %s is refused as no object", async (_, body) => {
    const { status, body: answer } = await post(
      typeof body === "string" && body.startsWith("[") ? body : JSON.stringify(body),
    );
    expect(status).toBe(400);
    expect(answer.details).toEqual([{ path: "", message: "must be of type object" }]);
  });

  test("is told every fault at once", async () => {
    const { status, body } = await post({
      name: "",
      slug: "Not A Slug",
      adminEmail: 7,
      adminPassword: "password",
      adminLastName: "x".repeat(101),
      isAdmin: true,
    });
    expect(status).toBe(400);
    expect(body).toMatchObject({ statusCode: 400, code: "INVALID_REQUEST", error: "Bad Request" });
    expect(body.details).toEqual([
      { path: "name", message: "must not be empty" },
      { path: "slug", message: "must be of a-z and 0-9, with single hyphens inside" },
      { path: "adminEmail", message: "must be of type string" },
      { path: "adminPassword", message: "is one of the commonest passwords; choose another" },
      { path: "adminFirstName", message: "is missing" },
      { path: "adminLastName", message: "must have at most 100 characters" },
      { path: "isAdmin", message: "is not a known field" },
    ]);
  });

  test("may not reach into the prototype", async () => {
    const body = JSON.stringify(tenantBody()).replace("{", '{"__proto__":{"role":"SUPER_ADMIN"},');
    const { status, body: answer } = await post(body);
    expect(status).toBe(400);
    expect(answer.details).toEqual([{ path: "__proto__", message: "is not a known field" }]);
  });

  test("does not come back in an answer that refuses it", async () => {
    const { body } = await post(tenantBody({ slug: "no", adminPassword: "a quiet purple river" }));
    expect(JSON.stringify(body)).not.toContain("purple");
    const broken = await post('{"adminPassword":"a quiet purple river",}');
    expect(broken.status).toBe(400);
    expect(JSON.stringify(broken.body)).not.toContain("purple");
  });
});

describe("a body's size", () => {
  test("of 16 KiB is read, one byte more is not", async () => {
    expect((await post(bytes(16 * 1024))).status).toBe(400);
    const { status, body } = await post(bytes(16 * 1024 + 1));
    expect(status).toBe(413);
    expect(body).toEqual({
      statusCode: 413,
      message: "The body is larger than 16 KiB",
      error: "Payload Too Large",
      code: "BODY_TOO_LARGE",
    });
  });

  test("is refused as it is announced, before anything of it came", async () => {
    const head = `POST /api/tenant/setup HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n`;
    expect(await rawAnswer(head)).toMatch(/^HTTP\/1.1 413 /);
  });

  test("is counted where it is not announced", async () => {
    const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`;
    const head = `POST /api/tenant/setup HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`;
    expect(await rawAnswer(head + chunk + chunk)).toMatch(/^HTTP\/1.1 413 /);
  });
});

describe("a body's type", () => {
  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json; charset=latin1",
    "application/jsonp",
  ])("%s is refused", async (type) => {
    const { status, body } = await post(tenantBody(), { "Content-Type": type });
    expect(status).toBe(415);
    expect(body).toMatchObject({
      statusCode: 415,
      code: "UNSUPPORTED_BODY",
      error: "Unsupported Media Type",
    });
  });

  test.each([
    "application/json",
    "Application/JSON; charset=utf-8",
    'application/json;charset="UTF-8"',
  ])("%s is read", async (type) => {
    expect((await post("{}", { "Content-Type": type })).status).toBe(400);
  });

  test("compressed is refused: it may be of any size", async () => {
    expect((await post("{}", { "Content-Encoding": "gzip" })).status).toBe(415);
  });

  test("none is refused", async () => {
    expect((await send(setUp(), { method: "POST", token })).status).toBe(415);
  });
});

describe("the checks run cheapest first", () => {
  const large = bytes(17 * 1024);

  test("size before type", async () => {
    expect((await post(large, { "Content-Type": "text/plain" })).status).toBe(413);
  });

  test("type before token", async () => {
    const headers = { "Content-Type": "text/plain" };
    const { status } = await send(setUp(), { method: "POST", body: "{", headers });
    expect(status).toBe(415);
  });

  test("token before permission, permission before shape", async () => {
    expect((await send(setUp(), { method: "POST", body: "{" })).status).toBe(401);
    const viewer = await signed({ claims: { permissions: ["VIEW_TENANTS"] } });
    const { status } = await send(setUp(), { method: "POST", token: viewer, body: "{" });
    expect(status).toBe(403);
  });
});

describe("addresses", () => {
  test.each(["/", "/api", "/api/tenants", "/api/tenant/setup/x", "/favicon.ico"])(
    "%s is not there",
    async (path) => {
      const { status, body } = await send(service.url + path);
      expect(status).toBe(404);
      expect(body).toEqual({
        statusCode: 404,
        message: "There is nothing here",
        error: "Not Found",
        code: "NOT_FOUND",
      });
    },
  );

  test.each([
    ["GET", "/api/tenant/setup", "POST"],
    ["PUT", "/api/tenant/setup", "POST"],
    ["DELETE", "/api/tenant/setup", "POST"],
    ["POST", "/api/tenant", "GET, HEAD"],
    ["DELETE", "/api/tenant/mine", "GET, HEAD"],
    ["POST", "/api/operations", "GET, HEAD"],
    ["POST", "/api/tenant/660e8400-e29b-41d4-a716-446655440000", "GET, PATCH, DELETE, HEAD"],
    ["GET", "/api/tenant/660e8400-e29b-41d4-a716-446655440000/suspend", "POST"],
    ["POST", "/healthz", "GET, HEAD"],
    ["POST", "/readyz", "GET, HEAD"],
  ])("%s %s is another method's", async (method, path, allow) => {
    const { status, headers, body } = await send(service.url + path, { method });
    expect(status).toBe(405);
    expect(headers.get("allow")).toBe(allow);
    expect(body).toMatchObject({
      statusCode: 405,
      code: "METHOD_NOT_ALLOWED",
      error: "Method Not Allowed",
    });
  });

  const id = "660e8400-e29b-41d4-a716-446655440000";
  test.each([
    ["POST", "/api/tenant/setup"],
    ["POST", "/api/tenant/adopt"],
    ["GET", `/api/tenant/${id}`],
    ["PATCH", `/api/tenant/${id}`],
    ["DELETE", `/api/tenant/${id}`],
    ...["suspend", "resume", "restore", "release", "purge", "repair"].map((verb) => [
      "POST",
      `/api/tenant/${id}/${verb}`,
    ]),
    ["GET", `/api/tenant/${id}/drift`],
    ["GET", `/api/tenant/${id}/export`],
    ["GET", `/api/operations/${id}`],
    ["GET", `/api/operations/${id}/events`],
  ])(
    "%s %s does nothing where a parameter asks for what it does not know",
    async (method, path) => {
      const { status, body } = await send(`${service.url}${path}?dryRun=true`, {
        ...{ method, token: await signed({ claims: { role: "SUPER_ADMIN" } }) },
        ...(method === "GET" || method === "DELETE" ? {} : { body: {} }),
      });
      expect(status).toBe(400);
      expect(body.details).toEqual([{ path: "dryRun", message: "is not a known field" }]);
    },
  );

  test("that cannot be decoded are the caller's fault", async () => {
    const { status } = await send(`${service.url}/api/tenant/%ff`, { token });
    expect(status).toBe(400);
  });
});

describe("every answer", () => {
  test("says nothing of what serves it, and is not kept", async () => {
    const { headers } = await send(`${service.url}/healthz`);
    expect(headers.get("x-powered-by")).toBeNull();
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("cache-control")).toBe("no-store");
  });

  test("has the caller's request id where that is well-formed, a new one elsewhere", async () => {
    const idFor = async (given: string) => {
      const { headers } = await send(`${service.url}/healthz`, {
        headers: { "X-Request-Id": given },
      });
      return headers.get("x-request-id");
    };
    expect(await idFor("order-66.a_B")).toBe("order-66.a_B");
    expect(await idFor('a"b')).toMatch(/^[0-9a-f-]{36}$/);
    expect(await idFor("x".repeat(65))).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("of a service that goes down is 503, and ends the connection", async () => {
    service.stopping = true;
    const { status, headers } = await post(tenantBody());
    service.stopping = false;
    expect(status).toBe(503);
    expect(headers.get("connection")).toBe("close");
    expect(headers.get("retry-after")).toBe("5");
  });
});

test("the log has one line a request, and neither token nor password", async () => {
  const before = service.log.length;
  await post(tenantBody({ slug: "no" }));
  const lines = service.log.slice(before);
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    msg: "answered",
    req: { method: "POST", url: "/api/tenant/setup" },
    res: { statusCode: 400 },
  });
  expect(service.log.join("")).not.toContain("purple");
  expect(service.log.join("")).not.toContain(token.slice(0, 20));
});

/** What comes back for bytes that no HTTP client would send, up to the end of its first packet. */
function rawAnswer(bytesToSend: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(service.url).port), "127.0.0.1");
    socket.once("data", (data) => {
      socket.destroy();
      resolve(data.toString());
    });
    socket.once("error", reject);
    socket.write(bytesToSend);
  });
}
