import * as pulumi from "@pulumi/pulumi";
import { Tenant, TenantDatabase, type TenantArgs } from "../../../provider";

/** The inputs of each resource that the program registers, by the last word of its type. */
const registered = new Map<string, Record<string, unknown>>();

const mocks: pulumi.runtime.Mocks = {
  newResource({ type, name, inputs }) {
    const known = inputs as Record<string, unknown>;
    registered.set(type.split(/[:/]/).at(-1) ?? type, known);
    return { id: `id-of-${name}`, state: known };
  },
  call: () => ({}),
};

beforeEach(async () => {
  registered.clear();
  await pulumi.runtime.setMocks(mocks, "shop", "dev");
});

/** To be called by each test, once the mocks are set. */
const newDatabase = () => new TenantDatabase("database", { migrationsDir: "migrations" });

const acme: Omit<TenantArgs, "database"> = {
  name: "Acme Corp",
  slug: "acme",
  adminEmail: "ana@acme.example",
  adminPassword: pulumi.secret("correct horse battery"),
  adminFirstName: "Ana",
  adminLastName: "Diaz",
};

const valueOf = <T>(output: pulumi.Output<T>) => new Promise<T>((resolve) => output.apply(resolve));

describe("under Pulumi's mocks, without a database and without an environment, a tenant", () => {
  it("has its five steps, and outputs", async () => {
    const tenant = new Tenant("acme", { ...acme, database: newDatabase() });
    expect(await valueOf(tenant.status)).toBe("active");
    expect(await valueOf(tenant.schemaName)).toBe("tenant_id-of-acme");
    expect([...registered.keys()]).toEqual(
      expect.arrayContaining(["Record", "AdminUser", "Schema", "Migrations", "Membership"]),
    );
    expect(registered.get("Record")).toMatchObject({ owner: "organization/shop/dev::acme" });
    expect(registered.get("Record")).not.toHaveProperty("faults");
  });

  it.each([
    ["keeps its data, by default", {}, {}, false],
    ["may lose its data with forceDestroy", { forceDestroy: true }, {}, true],
    ["keeps it with retainOnDelete", { forceDestroy: true }, { retainOnDelete: true }, false],
    ["keeps it where it is released", { forceDestroy: true, release: true }, {}, false],
  ])("%s", async (_, args, opts, destroys) => {
    const tenant = new Tenant("acme", { ...acme, ...args, database: newDatabase() }, opts);
    await valueOf(tenant.status);
    for (const step of ["Record", "AdminUser", "Migrations", "Membership"]) {
      expect(registered.get(step)).toMatchObject({ forceDestroy: destroys });
    }
  });

  it("needs none in a preview either", async () => {
    const isPreview = true;
    await pulumi.runtime.setMocks(mocks, "shop", "dev", isPreview);
    expect(await valueOf(new Tenant("acme", { ...acme, database: newDatabase() }).slug)).toBe(
      "acme",
    );
  });

  it("throws all of its faults where it is declared", () => {
    const declare = () =>
      new Tenant("acme", {
        ...{ ...acme, database: newDatabase() },
        ...{ slug: "A", adminEmail: "nobody", id: "7", adminLastName: "" },
      });
    expect(declare).toThrow(
      new Error(
        [
          "slug: must have at least 3 characters; must be of a-z and 0-9, with single hyphens inside",
          "adminEmail: must be an e-mail address",
          "adminLastName: must not be empty",
          "id: must be a UUID",
        ]
          .map((fault) => `tenant acme: ${fault}`)
          .join("\n"),
      ),
    );
  });

  it("says that an input is missing, and repeats no password", () => {
    const database = newDatabase();
    const declare = (args: object) => () => new Tenant("acme", { ...args, database } as TenantArgs);
    expect(declare({ ...acme, adminEmail: undefined })).toThrow(
      "tenant acme: adminEmail: is missing",
    );
    expect(declare({ ...acme, adminPassword: "hunter2" })).toThrow(
      /^tenant acme: adminPassword: must have at least 8 characters$/,
    );
  });

  it("may be declared by one test after another", async () => {
    const database = newDatabase();
    const tenants = ["acme", "globex"].map((name) => new Tenant(name, { ...acme, database }));
    expect(await Promise.all(tenants.map(({ slug }) => valueOf(slug)))).toEqual(["acme", "acme"]);
  });
});
