import dns from "node:dns";
import * as pulumi from "@pulumi/pulumi";
import { TenantDatabase } from "../../../provider";
import * as mocked from "../../../provider/mocked";

test("a preview says why a database does not answer, also where each of its several addresses refuses", async () => {
  process.env.DATABASE_URL = "postgres://app@several.example:1/app?sslmode=disable";
  const addresses = ["127.0.0.1", "127.0.0.2"].map((address) => ({ address, family: 4 }));
  const lookup = jest.spyOn(dns, "lookup") as unknown as jest.SpyInstance;
  lookup.mockImplementation(
    (_host: string, _options: object, found: (error: null, all: typeof addresses) => void) =>
      found(null, addresses),
  );
  const warn = jest.spyOn(pulumi.log, "warn").mockResolvedValue();
  // A program that knows of its mocks asks no database.
  jest.spyOn(mocked, "isMocked").mockReturnValue(false);
  const mocks = { newResource: () => ({ id: "id", state: {} }), call: () => ({}) };
  await pulumi.runtime.setMocks(mocks, "shop", "dev", true);

  const { found } = new TenantDatabase("database", { migrationsDir: "migrations" });

  expect(await new Promise((resolve) => found.apply(resolve))).toBeUndefined();
  expect(warn.mock.calls.map(([message]) => message)).toContain(
    "the database of DATABASE_URL does not answer: ECONNREFUSED. This preview cannot tell whether it is the right one",
  );
});
