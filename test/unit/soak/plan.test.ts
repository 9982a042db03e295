import { OptionsError, readOptions } from "../../soak/options";
import { planOf, troublePlan, type Action } from "../../soak/plan";
import { seeded } from "../../soak/random";

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
    ];
    expect([...kinds].sort()).toEqual([...all].sort());
  });

  test("has each kind of trouble once before one comes twice", () => {
    const kinds = first(10, troublePlan(seeded(7))).map(({ does }) => does);
    expect(new Set(kinds).size).toBe(10);
  });

  test("asks for slugs and addresses that are valid", () => {
    for (const action of actions(7)) {
      if (!("wanted" in action)) continue;
      expect(action.wanted.slug).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
      expect(action.wanted.adminEmail).toMatch(/^[a-z0-9-]+@[a-z0-9.-]+\.example$/);
    }
  });
});

describe("the options", () => {
  test("are five minutes and any seed unless they are given", () => {
    expect(readOptions([])).toEqual({ minutes: 5, seed: expect.any(Number) as number });
    expect(readOptions(["--minutes", "0.5", "--seed", "7"])).toEqual({ minutes: 0.5, seed: 7 });
    expect(readOptions(["--help"])).toBe("help");
  });

  test.each([
    [["--minute", "5"], /--minute/],
    [["5"], /5/],
    [["--minutes", "soon"], /--minutes takes a number/],
    [["--minutes", "0"], /at least 0\.2/],
    [["--minutes"], /--minutes/],
    [["--seed", "-1"], /--seed/],
    [["--seed", "99999999999"], /--seed/],
  ])("are refused where they mean nothing: %j", (argv, message) => {
    const read = () => readOptions(argv);
    expect(read).toThrow(OptionsError);
    expect(read).toThrow(message);
  });
});
