import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";

import { checkout } from "../../engine/obtain/places";
import { type Ended, ending } from "../support/fake-checkout";
import { makeFakeTree } from "../support/fake-tree";

/** `npm run doctor` of this checkout, on the engine that this test run made or found. */
function doctor(args: readonly string[], variables: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return ending(
    spawn(process.execPath, [join(checkout, "scripts", "bootstrap.mjs"), "doctor", ...args], {
      env: { ...process.env, DATABASE_URL: undefined, ...variables },
    }),
  );
}

const rowsOf = ({ stdout }: Ended) => stdout.split("\n").map((line) => line.split(/ {2,}/));

describe("npm run doctor", () => {
  it("finds every piece, tries it, and tells its version and where it came from", async () => {
    const ended = await doctor([]);
    const [head, ...rows] = rowsOf(ended).filter((row) => row.length > 1);
    expect(head).toEqual(["piece", "version", "from", "works"]);
    expect(rows.map(([piece]) => piece)).toEqual([
      "Pulumi CLI",
      "Node language host",
      "postgresql plugin",
      "dynamic provider",
      "kept providers",
      "dbmate",
      "database",
    ]);
    for (const [, version, origin, works] of rows) {
      expect(version).toMatch(/^\d+\.\d+/);
      expect(origin).not.toBe("missing");
      expect(works).toMatch(/^yes, \d+ ms$/);
    }
    expect(rows.at(-1)?.[2]).toBe("embedded");
    expect(ended.code).toBe(0);
  });

  it("tries the database of DATABASE_URL", async () => {
    const ended = await doctor([], { DATABASE_URL: process.env.TEST_POSTGRES_URL });
    expect(rowsOf(ended).find(([piece]) => piece === "database")?.[2]).toBe("DATABASE_URL");
    expect(ended.code).toBe(0);
  });

  it("says what does not work and what to do, without the password, and fails", async () => {
    const DATABASE_URL = "postgres://me:hush-hush@127.0.0.1:1/nowhere";
    const ended = await doctor([], { DATABASE_URL });
    expect(ended.code).toBe(1);
    expect(ended.stdout).toMatch(/^database +- +DATABASE_URL +no$/m);
    expect(ended.stdout).toMatch(/^database: .*ECONNREFUSED.*Check DATABASE_URL/m);
    expect(ended.stdout + ended.stderr).not.toContain("hush-hush");
  });

  it("says which piece was found and is not used, and why", async () => {
    const tree = makeFakeTree();
    try {
      const older = tree.plugin("older/pulumi-resource-postgresql", "3.17.0");
      const PATH = `${dirname(older)}:${process.env.PATH ?? ""}`;
      const ended = await doctor([], { PATH });
      expect(ended.stdout).toContain(
        `\npostgresql plugin: ${older} (PATH) is not used: it is version 3.17.0, and 3.18.0 or a later version 3 is needed\n`,
      );
      const [, version] = rowsOf(ended).find(([piece]) => piece === "postgresql plugin") ?? [];
      expect(version).not.toBe("3.17.0");
      expect(ended.code).toBe(0);
    } finally {
      rmSync(tree.root, { recursive: true });
    }
  });

  it("explains itself", async () => {
    const ended = await doctor(["--help"]);
    expect(ended.code).toBe(0);
    expect(ended.stdout).toMatch(/^npm run doctor\n/);
  });
});
