import { existsSync } from "node:fs";
import { commandOf, help, OptionsError, readOptions, type Options } from "../../soak/options";
import { planOf, type Action } from "../../soak/plan";
import { seeded } from "../../soak/random";
import { troublePlan, troubles } from "../../soak/trouble-plan";
import { commands } from "../../soak/troublemaker";

function first<T>(count: number, plan: Iterator<T, never>): T[] {
  return Array.from({ length: count }, () => plan.next().value);
}

const actions = (seed: number, count = 200) => first(count, planOf("ana", seeded(seed)));

describe("a plan", () => {
  test("is the same for the same seed, and another for another", () => {
    expect(actions(7)).toEqual(actions(7));
    expect(actions(7)).not.toEqual(actions(8));
    expect(first(50, troublePlan(seeded(7)))).toEqual(first(50, troublePlan(seeded(7))));
  });

  test("has every kind of action in it, within a minute of one caller", () => {
    const kinds = new Set(actions(7).map(({ does }) => does));
    const all: Action["does"][] = [
      ...(["set up", "ask and follow", "retry with a key", "hang up", "ask badly"] as const),
      ...(["ask again", "race", "read", "cut its body off", "burst"] as const),
      "export and import",
      ...(["send a verb", "send a verb and follow it", "send a verb with a key"] as const),
      ...(["hang up on a verb", "send verbs at once", "send a verb badly"] as const),
    ];
    expect([...kinds].sort()).toEqual([...all].sort());
  });

  test("has each kind of trouble once before one comes twice", () => {
    const kinds = first(troubles.length, troublePlan(seeded(7))).map(({ does }) => does);
    expect([...kinds].sort()).toEqual([...troubles].sort());
  });

  test("has the troubles that were chosen, and no other", () => {
    const chosen = ["pause a CLI", "stop the database"] as const;
    const kinds = first(20, troublePlan(seeded(7), chosen)).map(({ does }) => does);
    expect([...new Set(kinds)].sort()).toEqual(chosen);
  });

  test("knows a program host by the file that it is run from", () => {
    const host = require.resolve("../../../service/pulumi/host");
    expect(existsSync(host)).toBe(true);
    expect(`node ${host}`).toMatch(commands["kill a program host"] ?? /never/);
  });

  test("asks for slugs and addresses that are valid", () => {
    for (const action of actions(7)) {
      if (action.does === "export and import") {
        expect(action.planned.slug).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
      }
      if (!("wanted" in action)) continue;
      expect(action.wanted.slug).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
      expect(action.wanted.adminEmail).toMatch(/^[a-z0-9-]+@[a-z0-9.-]+\.example$/);
    }
  });
});

describe("the options", () => {
  test("are five minutes and any seed unless they are given", () => {
    const seed = expect.any(Number) as number;
    expect(readOptions([])).toEqual({ minutes: 5, seed, troubles });
    const given = readOptions(["--minutes", "0.5", "--seed", "7"]);
    expect(given).toEqual({ minutes: 0.5, seed: 7, troubles });
    expect(readOptions(["--help"])).toBe("help");
  });

  test("choose troubles by parts of their names, or leave some out; the help names them all", () => {
    const chosen = (...argv: string[]) => (readOptions(argv) as Options).troubles;
    expect(chosen("--only", "CLI", "--only", "database")).toEqual([
      ...["kill a CLI", "stop the database", "crash the database", "pause a CLI"],
    ]);
    expect(chosen("--only", "CLI", "--without", "pause")).toEqual(["kill a CLI"]);
    expect(chosen("--without", "kill a CLI")).toEqual(
      troubles.filter((name) => name !== "kill a CLI"),
    );
    for (const name of troubles) expect(help).toContain(`  ${name}\n`);
  });

  test("are repeated in the command that plans the same again", () => {
    const argv = ["--minutes", "0.2", "--seed", "7", "--only", "kill a CLI"];
    expect(commandOf(readOptions(argv) as Options)).toBe(
      'npm run soak -- --minutes 0.2 --seed 7 --only "kill a CLI"',
    );
    expect(commandOf(readOptions(argv.slice(0, 4)) as Options)).toBe(
      "npm run soak -- --minutes 0.2 --seed 7",
    );
  });

  test.each([
    [["--minute", "5"], /--minute/],
    [["5"], /5/],
    [["--minutes", "soon"], /--minutes takes a number/],
    [["--minutes", "0"], /at least 0\.2/],
    [["--minutes"], /--minutes/],
    [["--seed", "-1"], /--seed/],
    [["--seed", "99999999999"], /--seed/],
    [["--only", "storm"], /no trouble is called "storm"/],
    [["--without", ""], /no trouble is called ""/],
    [["--only", "CLI", "--without", "a CLI"], /leaves no trouble/],
  ])("are refused where they mean nothing: %j", (argv, message) => {
    const read = () => readOptions(argv);
    expect(read).toThrow(OptionsError);
    expect(read).toThrow(message);
  });
});
