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
    return readStackConfig(tenants, given).faults.join("\n") || "none";
  } catch (error) {
    return (error as Error).message;
  }
};

describe("a stack's configuration", () => {
  it("may hold no tenant yet", () => {
    expect(readStackConfig(undefined, database)).toEqual({ tenants: [], database, faults: [] });
  });

  it("declares its tenants as they are given: each validates its values itself", () => {
    const globex = { ...acme, slug: "Globex!", adminEmail: undefined };
    const elsewhere = { ...database, urlEnv: "TENANTS_URL" };
    expect(readStackConfig([acme, globex], elsewhere)).toEqual({
      tenants: [
        { ...acme, faults: [] },
        { ...globex, faults: [] },
      ],
      database: elsewhere,
      faults: [],
    });
  });

  it("must name the folder of the tenants' migrations, and says how", () => {
    for (const without of [undefined, { urlEnv: "TENANTS_URL" }]) {
      expect(() => readStackConfig([acme], without)).toThrow(
        "database: migrationsDir: is missing: pulumi config set --path database.migrationsDir FOLDER",
      );
    }
  });

  it("notes the fields of a tenant that none has", () => {
    const typo = { ...acme, forceDestory: true, migrationsDir: "migrations", faults: [] };
    expect(readStackConfig([typo], database).tenants[0]?.faults).toEqual([
      "forceDestory: is not a known field",
      "migrationsDir: is not a known field",
      "faults: is not a known field",
    ]);
  });

  it("names by its place each entry that has no name of its own, all at once", () => {
    const renamed = { ...acme, slug: "acme-ltd", key: "acme" };
    const nameless = { ...acme, slug: undefined };
    const config = readStackConfig(
      [renamed, 7, nameless, acme, { ...acme, key: "A" }, { ...acme, slug: "" }],
      database,
    );
    expect(config.tenants).toEqual([{ ...renamed, faults: [] }]);
    expect(config.faults).toEqual([
      "tenants[1]: Invalid input: expected record, received number",
      "tenants[2]: slug: is missing",
      "tenants[3]: slug: acme is another tenant's already",
      "tenants[4]: key: must have at least 3 characters; must be of a-z and 0-9, with single hyphens inside",
      "tenants[5]: slug: must not be empty",
    ]);
  });

  it("refuses what is no list, and a database it does not know", () => {
    expect(faultsOf({ acme })).toContain("tenants: must be a list");
    expect(faultsOf([], { url: "postgres://me:secret@h/db" })).toContain(
      "database: url: is not a known field",
    );
    expect(faultsOf({ acme }, { urlEnv: "postgres://me:secret@h/db" })).not.toContain("secret");
  });
});
