import { barOf } from "../../../bench/measure/phases";
import { asJson, asMarkdown, verdict, type Report } from "../../../bench/report/report";
import { holds, missed, ratio, side, type Row } from "../../../bench/context/row";
import { pictureOf } from "../../../bench/report/svg";

const row: Row = {
  name: "fast",
  what: "ours against the floor",
  kind: "target",
  must: "at most",
  limit: 2,
  unit: "times",
};
const fast = ratio(row, [
  ["ours", side([150, 190, 170])],
  ["floor", side([100, 90, 110])],
]);
const slow = { ...fast, row: { ...row, name: "slow" }, value: 2.1 };
const goal = { ...slow, row: { ...slow.row, name: "goal", kind: "goal" as const } };
const unmeasured = { row: { ...row, name: "unmeasured" }, problem: "the service answered 500" };

const report: Report = {
  date: "2026-01-02T03:04:05.000Z",
  quick: false,
  machine: { cores: "2" },
  results: [fast, slow, goal, unmeasured],
  bars: [
    barOf("floor", [
      [
        ["start", 5],
        ["hash", 15],
        ["a < b", 45],
      ],
      [
        ["start", 0],
        ["hash", 20],
        ["a < b", 60],
      ],
    ]),
  ],
};

describe("a row", () => {
  it("is one side's median against the other's", () => {
    expect(fast.value).toBe(1.7);
    expect(fast.sides.ours).toEqual({ count: 3, median: 170, min: 150, max: 190, unit: "ms" });
  });

  it("holds at its limit, on the side that it must be", () => {
    const least: Row = { ...row, must: "at least" };
    expect([1.9, 2, 2.1].map((value) => holds({ ...fast, value }))).toEqual([true, true, false]);
    expect([1.9, 2, 2.1].map((value) => holds({ ...fast, row: least, value }))).toEqual([
      ...[false, true, true],
    ]);
  });

  it("does not hold as a figure that is none", () => {
    expect(holds({ ...fast, value: NaN })).toBe(false);
    expect(holds(unmeasured)).toBe(false);
  });
});

describe("what was missed", () => {
  it("names targets, those that could not be measured too, and no goals", () => {
    expect(missed(report.results)).toEqual(["slow", "unmeasured"]);
    expect(verdict(report)).toBe("2 of 3 targets missed: slow, unmeasured.");
    expect(verdict({ ...report, results: [fast, goal] })).toBe("All 1 targets hold.");
  });
});

describe("the report", () => {
  it("is one object with each row's figure and target", () => {
    const json = JSON.parse(JSON.stringify(asJson(report))) as { rows: object[]; missed: string[] };
    expect(json.missed).toEqual(["slow", "unmeasured"]);
    expect(json.rows).toMatchObject([
      { name: "fast", figure: 1.7, target: 2, must: "at most", unit: "times", holds: true },
      { name: "slow", figure: 2.1, kind: "target", holds: false },
      { name: "goal", figure: 2.1, kind: "goal", holds: false },
      { name: "unmeasured", figure: null, holds: false, problem: "the service answered 500" },
    ]);
  });

  it("is a table that tells figure, target, and what they were made of", () => {
    const [, , ...lines] = asMarkdown(report).split("\n");
    expect(lines[0]).toMatch(
      /\| 1\.70 times +\| at most 2 times +\| yes +\| ours 170 ms \(150 to 190, 3 times\); floor 100 ms/,
    );
    expect(lines[2]).toMatch(/\| next goal: at most 2 times +\| no /);
    expect(lines[3]).toMatch(/\| none +\| at most 2 times +\| no +\| the service answered 500/);
  });
});

describe("phases", () => {
  it("last from the end of the one before to their own", () => {
    const [bar] = report.bars;
    expect(bar?.phases.map(({ name, time }) => [name, time.median])).toEqual([
      ["hash", 15],
      ["a < b", 35],
    ]);
    expect(bar?.total).toEqual({ count: 2, median: 50, min: 40, max: 60 });
  });

  it("of runs that differ are refused", () => {
    const odd = () =>
      barOf("service", [
        [
          ["start", 0],
          ["hash", 1],
        ],
        [["start", 0]],
      ]);
    expect(odd).toThrow("a run of service lacks hash");
  });

  it("make a picture of well-formed blocks, as wide as they are long", () => {
    const picture = pictureOf(report.bars);
    const widths = [...picture.matchAll(/y="22" width="([\d.]+)"/g)].map(([, width]) =>
      Number(width),
    );
    expect((widths[1] ?? 0) / (widths[0] ?? 1)).toBeCloseTo(35 / 15, 1);
    expect(picture).toContain("a &lt; b");
    expect(picture).not.toContain("a < b");
  });
});
