import { docBlocks, docPages, readDoc } from "../../support/docs";

const blocks = docPages.flatMap((page) => docBlocks(page).map((block) => ({ page, ...block })));
const runnable = blocks.filter(({ language }) => ["sh", "ts", "sql"].includes(language));

test("the pages have blocks to run, in every language that is tested", () => {
  const languages = new Set(runnable.map(({ language }) => language));
  expect([...languages].sort()).toEqual(["sh", "sql", "ts"]);
});

test.each(runnable)(
  "the $language block of $page under $heading is read by the test that it names",
  ({ page, heading, tested = "" }) => {
    const [file = ""] = tested.split(" ");
    expect(file).toMatch(/^test\/[\w./-]+\.ts$/);
    const test = readDoc(file);
    expect(test).toContain("docBlock");
    expect(test).toContain(`"${page}"`);
    // By the words that its heading begins with.
    const beginnings = Array.from(heading, (_, index) => `"${heading.slice(0, index + 1)}"`);
    expect(beginnings.filter((words) => test.includes(words))).not.toEqual([]);
  },
);

test("a block in a language that is not known here is not overlooked", () => {
  const known = ["", "http", "json", "mermaid", "sh", "sql", "ts"];
  expect(blocks.filter(({ language }) => !known.includes(language))).toEqual([]);
});
