import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import {
  newestVersion,
  publicMigrationsDir,
  readMigrations,
  tenantMigrationsDir,
} from "../../../provider/database/migrations";
import { fromProgram } from "../../../provider/resources/migrations-folder";

const directory = mkdtempSync(path.join(tmpdir(), "migrations-"));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

function folderWith(files: Record<string, string>): string {
  const folder = mkdtempSync(path.join(directory, "case-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  return folder;
}

describe("a folder of migrations", () => {
  it("is read in the order of the versions, each file with its digest", () => {
    const folder = folderWith({ "2_b.sql": "b", "1_a.sql": "a", "notes.md": "no migration" });
    mkdirSync(path.join(folder, "9_folder.sql"));
    expect(Object.entries(readMigrations(folder))).toEqual([
      ["1_a.sql", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"],
      ["2_b.sql", "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"],
    ]);
    expect(newestVersion(readMigrations(folder))).toBe("2");
  });

  it("that is not there is named", () => {
    expect(() => readMigrations("/nowhere/migrations")).toThrow(
      "the migrations' folder /nowhere/migrations cannot be read",
    );
  });

  it("that holds no migration is an error, or a typing mistake would make empty tenants", () => {
    expect(() => readMigrations(folderWith({ "notes.md": "" }))).toThrow("there is no .sql file");
  });

  it("with a file that dbmate would pass over is an error that names it", () => {
    expect(() => readMigrations(folderWith({ "1_a.sql": "", "create.sql": "" }))).toThrow(
      "rename create.sql",
    );
  });

  it("with one version twice is an error that names both files", () => {
    expect(() => readMigrations(folderWith({ "1_a.sql": "", "1_b.sql": "" }))).toThrow(
      "1_a.sql and 1_b.sql have the same version",
    );
  });
});

describe("the package's own migrations", () => {
  it("are the control tables, and at least five files for every tenant", () => {
    expect(Object.keys(readMigrations(publicMigrationsDir)).length).toBeGreaterThanOrEqual(3);
    expect(Object.keys(readMigrations(tenantMigrationsDir)).length).toBeGreaterThanOrEqual(5);
  });
});

describe("a folder that is named from Pulumi.yaml's", () => {
  const root = jest.spyOn(pulumi.runtime, "getRootDirectory");
  afterAll(() => root.mockRestore());

  it.each([
    ["in the same folder", ".", "migrations", "migrations"],
    ["that folder itself", ".", ".", "."],
    ["of a program in a folder of its own", "..", "migrations", path.join("..", "migrations")],
    ["by its whole path", "..", "/srv/migrations", "/srv/migrations"],
  ])("is found from the program's: %s", (_what, folder, named, found) => {
    root.mockReturnValue(path.resolve(folder));
    expect(fromProgram(named)).toBe(found);
  });
});
