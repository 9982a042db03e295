import ts from "typescript";
import { applied } from "../../mutation/mutant";
import { isSql, sqlChanges } from "../../mutation/sql";

/** What becomes of the text, by each change. */
function mutated(text: string): string[] {
  const source = ts.createSourceFile("a.ts", text, ts.ScriptTarget.ES2022, true);
  return sqlChanges(source).map((change) => applied(text, change));
}

describe("the SQL in a file's strings", () => {
  test("loses conditions, and has them turned round", () => {
    expect(mutated('q("delete from public.users where id = $1 and status is not null")')).toEqual([
      'q("delete from public.users where id = $1 or status is not null")',
      'q("delete from public.users where true or id = $1 and status is not null")',
      'q("delete from public.users where id = $1 and status is null")',
      'q("delete from public.users where id <> $1 and status is not null")',
    ]);
  });

  test("is left alone where it would not be understood any more: what is set, the index of a conflict", () => {
    expect(mutated("q(`update public.users set name = $1, email = $2`)")).toEqual([]);
    expect(
      mutated("q(`insert into t (a) values ($1) on conflict (a) where a > 0 do nothing`)"),
    ).not.toContainEqual(expect.stringContaining("where true"));
  });

  test("loses its locks, and each word of a list", () => {
    expect(
      mutated(`q("select from jobs where state in ('a', 'b') for update skip locked")`),
    ).toEqual(
      expect.arrayContaining([
        `q("select from jobs where state in ('a', 'b')")`,
        `q("select from jobs where state in ('a', 'b') for update")`,
        `q("select from jobs where state in ('a') for update skip locked")`,
        `q("select from jobs where state in ('b') for update skip locked")`,
      ]),
    );
  });

  test("is not the code that stands between its parts", () => {
    const texts = mutated("q(`select from t where a = ${b === 1 ? ' = ' : 'x and y'} and c = $1`)");
    expect(texts).toHaveLength(4);
    for (const text of texts) expect(text).toContain("${b === 1 ? ' = ' : 'x and y'}");
  });

  test.each([
    ["id = $1 and attempts = $2", true],
    ["select pg_advisory_xact_lock(1)", true],
    ["revoke usage on schema x from y", true],
    ["select the stack and try again", false],
    ["the slug is taken, and so is its name", false],
    ["update the package", false],
    ["", false],
  ])("is told from words for people: %s", (text, expected) => {
    expect(isSql(text)).toBe(expected);
  });
});
