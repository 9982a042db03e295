import { send } from "../../soak/client";

const sent = { path: "/", token: undefined };

function failsWith(code: string): void {
  const cause = Object.assign(new Error(code), { code });
  jest.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("fetch failed", { cause }));
}
afterEach(() => jest.restoreAllMocks());

test("a request is not sent where nobody is there, or listens", async () => {
  expect((await send([], sent)).outcome).toBe("not sent");
  failsWith("ECONNREFUSED");
  expect((await send(["http://127.0.0.1:2"], sent)).outcome).toBe("not sent");
});

test("one whose connection breaks may have arrived", async () => {
  failsWith("ECONNRESET");
  expect((await send(["http://127.0.0.1:2"], sent)).outcome).toBe("no answer");
});
