import { spawnSync } from "node:child_process";
import path from "node:path";

const repository = path.resolve(__dirname, "../../..");

/** Runs the built bench, as `npm run bench` does, with a PostgreSQL and a service of its own. */
function bench(...args: string[]) {
  const main = path.join(repository, "dist/bench/main.js");
  return spawnSync(process.execPath, [main, ...args], { cwd: repository, encoding: "utf8" });
}

interface Json {
  readonly machine: Record<string, string>;
  readonly rows: {
    readonly name: string;
    readonly figure: number;
    readonly target: number;
    readonly holds: boolean;
    readonly sides: Record<string, { readonly count: number; readonly median: number }>;
  }[];
  readonly missed: string[];
}

test("one group of rows is measured against the floor, and told as one object", () => {
  const { status, stdout, stderr } = bench("--only", "back-to-back", "--quick", "--json");
  expect([status, stderr]).toEqual([0, expect.stringContaining("back to back: round 1 of 1")]);
  expect(stdout.trim().split("\n")).toHaveLength(1);
  const { machine, rows, missed } = JSON.parse(stdout) as Json;

  expect(Object.keys(machine)).toEqual(
    expect.arrayContaining([
      "cores",
      "CPU",
      "Node",
      "Pulumi CLI",
      "postgresql plugin",
      "PostgreSQL",
    ]),
  );
  expect(rows.map(({ name, target }) => [name, target])).toEqual([["back-to-back", 6]]);
  for (const { name, figure, target, holds, sides } of rows) {
    const { service, floor } = sides;
    expect([service?.count, floor?.count]).toEqual([8, 8]);
    expect(figure).toBeCloseTo((service?.median ?? NaN) / (floor?.median ?? NaN));
    // Which of the two it is depends on the machine.
    expect(holds).toBe(figure <= target);
    expect(missed.includes(name)).toBe(!holds);
  }
});

test("what is asked for in other words is refused in one line", () => {
  const { status, stdout, stderr } = bench("--fast");
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^Unknown option '--fast'[^\n]*\n$/);
});
