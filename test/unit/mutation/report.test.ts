import type { Verdict } from "../../mutation/judge";
import { reportOf, scoreOf } from "../../mutation/report";

function verdict(fate: Verdict["fate"], file: string): Verdict {
  const change = { mutator: "SQL", start: 0, end: 3, original: "and", replacement: "or" };
  return { mutant: { ...change, file, line: 7, key: file }, fate, seconds: 1 };
}

const verdicts = [
  verdict("killed", "provider/tenant.ts"),
  verdict("killed", "provider/database/pool.ts"),
  verdict("survived", "provider/database/pool.ts"),
  verdict("unreached", "service/auth/sign-token.ts"),
];

test("the score is of all that were tried; what no test reaches counts as not noticed", () => {
  expect(scoreOf(verdicts)).toBe(50);
  expect(scoreOf([])).toBe(100);
});

test("the report names what no test noticed, and has a row for each folder", () => {
  expect(
    reportOf(verdicts)
      .split("\n")
      .map((line) => line.trim().replaceAll(/ +/g, " ")),
  ).toEqual([
    "No test noticed:",
    ...["provider/database/pool.ts:7 SQL", "- and", "+ or"],
    ...["service/auth/sign-token.ts:7 SQL", "- and", "+ or", "(no test gets there)"],
    "",
    "folder killed survived unreached score",
    "provider 1 0 0 100.0 %",
    "provider/database 1 1 0 50.0 %",
    "service/auth 0 0 1 0.0 %",
    "all 2 1 1 50.0 %",
  ]);
});
