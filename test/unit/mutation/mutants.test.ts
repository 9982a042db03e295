import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { applied } from "../../mutation/mutant";
import { inOrderOf, mutantsOf } from "../../mutation/mutants";

const folder = mkdtempSync(path.join(tmpdir(), "mutants-of-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function mutantsIn(text: string) {
  writeFileSync(path.join(folder, "a.ts"), text);
  return mutantsOf(folder, ["a.ts"]);
}

const text = `
export function f(a: boolean, b: boolean, c: boolean): boolean {
  log.info("what happened", a && b);
  return a && b || c;
}
export const find = "select id from t where id = $1";
`;

test("a mutant is the file with one change, which is told by its line", async () => {
  const mutants = await mutantsIn(text);
  const one = mutants.find(({ replacement }) => replacement === "(a || b)");
  expect(one).toMatchObject({
    file: "a.ts",
    line: 4,
    original: "a && b",
    mutator: "LogicalOperator",
  });
  expect(one && applied(text, one)).toBe(text.replace("return a && b", "return (a || b)"));
});

test("what is logged is left alone, and no statement is emptied", async () => {
  const mutants = await mutantsIn(text);
  expect(mutants.filter(({ line }) => line === 3)).toEqual([]);
  expect(mutants.filter(({ line }) => line === 6).map(({ mutator }) => mutator)).toEqual([
    ...["SQL", "SQL"],
  ]);
});

test("the seed chooses, and lines that come or move change nothing for the others", async () => {
  const before = inOrderOf(7, await mutantsIn(text)).map(({ key }) => key);
  expect(inOrderOf(8, await mutantsIn(text)).map(({ key }) => key)).not.toEqual(before);
  const longer = await mutantsIn(`\nexport const limit = a < 3;\n${text}`);
  const after = inOrderOf(7, longer).map(({ key }) => key);
  expect(after.length).toBeGreaterThan(before.length);
  expect(after.filter((key) => before.includes(key))).toEqual(before);
});
