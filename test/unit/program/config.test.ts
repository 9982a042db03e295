import { readStackConfig } from "../../../program/config";

const acme = {
  name: "Acme Corp",
  slug: "acme",
  adminEmail: "ana@acme.example",
  adminPassword: "correct horse battery",
  adminFirstName: "Ana",
  adminLastName: "Diaz",
};

const database = { migrationsDir: "migrations" };

const faultsOf = (tenants: unknown, given: unknown = database): string => {
  try {
    readStackConfig(tenants, given);
  } catch (error) {
    return (error as Error).message;
  }
  return "none";
};

describe("a stack's configuration", () => {
  it("may hold no tenant yet", () => {
    expect(readStackConfig(undefined, database)).toEqual({ tenants: [], database });
  });

  it("gives normalised tenants", () => {
    const elsewhere = { ...database, urlEnv: "TENANTS_URL" };
    expect(readStackConfig([{ ...acme, name: " Acme Corp " }], elsewhere)).toEqual({
      tenants: [acme],
      database: elsewhere,
    });
  });

  it("must name the folder of the tenants' migrations, and says how", () => {
    for (const without of [undefined, { urlEnv: "TENANTS_URL" }]) {
      expect(() => readStackConfig([acme], without)).toThrow(
        "database: migrationsDir: is missing: pulumi config set --path database.migrationsDir FOLDER",
      );
    }
    expect(faultsOf([{ ...acme, migrationsDir: "migrations" }])).toContain(
      "tenant acme (tenants[0]): migrationsDir: is not a known field",
    );
  });

  it("names the tenant and the field of every fault at once", () => {
    const noEmail = { ...acme, adminEmail: undefined };
    expect(
      faultsOf([
        { ...acme, name: "" },
        { ...noEmail, slug: "globex", forceDestory: true },
        7,
      ]).split("\n  "),
    ).toEqual([
      "the stack's configuration is not valid:",
      "tenant acme (tenants[0]): name: must not be empty",
      "tenant globex (tenants[1]): adminEmail: is missing",
      "tenant globex (tenants[1]): forceDestory: is not a known field",
      "tenants[2]: Invalid input: expected object, received number",
    ]);
  });

  it("never repeats a password that is refused", () => {
    expect(faultsOf([{ ...acme, adminPassword: "hunter2" }])).toContain("adminPassword: must have");
    expect(faultsOf([{ ...acme, adminPassword: "hunter2" }])).not.toContain("hunter2");
  });

  it("refuses one slug twice", () => {
    expect(faultsOf([acme, acme])).toContain("tenant acme: slug: is in the list twice");
  });

  it("refuses two tenants with one key, which is the slug where none is named", () => {
    const renamed = { ...acme, slug: "acme-ltd", key: "acme" };
    expect(readStackConfig([renamed], database).tenants).toEqual([renamed]);
    expect(faultsOf([acme, renamed])).toContain("tenant acme-ltd: key: acme is another tenant's");
  });

  it("refuses what is no list, and a database it does not know", () => {
    expect(faultsOf({ acme })).toContain("tenants: must be a list");
    expect(faultsOf([], { url: "postgres://me:secret@h/db" })).toContain(
      "database: url: is not a known field",
    );
  });
});
