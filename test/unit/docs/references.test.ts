import { existsSync } from "node:fs";
import path from "node:path";
import { docPages, readDoc } from "../../support/docs";

const checkout = path.resolve(__dirname, "../../../..");

/** What GitHub makes of a heading in an address. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

const anchorsOf = (page: string) =>
  [...readDoc(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading));

/** Every match's first group, once each. */
const found = (page: string, pattern: RegExp) => [
  ...new Set([...readDoc(page).matchAll(pattern)].map(([, words = ""]) => words)),
];

describe.each(docPages)("%s", (page) => {
  it("links to files and headings that are there", () => {
    const broken = found(page, /\]\(([^)\s]+)\)/g)
      .filter((link) => !/^https?:/.test(link))
      .filter((link) => {
        const [file = "", anchor] = link.split("#");
        const target = file === "" ? page : path.join(path.dirname(page), file);
        if (!existsSync(path.join(checkout, target))) return true;
        return anchor !== undefined && !anchorsOf(target).includes(anchor);
      });
    expect(broken).toEqual([]);
  });

  it("names paths that are there", () => {
    const paths = found(
      page,
      /`((?:provider|program|fleet|service|engine|scripts|migrations|docs|examples|bench|test)\/[\w./-]*)`/g,
    );
    expect(paths.filter((named) => !existsSync(path.join(checkout, named)))).toEqual([]);
  });

  it("names npm scripts that there are", () => {
    const { scripts } = JSON.parse(readDoc("package.json")) as { scripts: Record<string, string> };
    const named = found(page, /npm run (?:--?[\w-]+ )*([\w-]+)/g);
    expect(named.filter((script) => !(script in scripts))).toEqual([]);
  });
});

test("the README is a page, not a book", () => {
  expect(readDoc("README.md").split("\n").length).toBeLessThanOrEqual(150);
});
