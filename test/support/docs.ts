import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** The folder that this repository is checked out to. */
const checkout = path.resolve(__dirname, "../../..");

/** A code block of a page. */
export interface DocBlock {
  /** The heading that it stands under, without its number signs. */
  readonly heading: string;
  /** `""` where the block names none. */
  readonly language: string;
  readonly code: string;
  /** What the comment `<!-- tested: FILE … -->` above it says; undefined without one. */
  readonly tested: string | undefined;
}

/** Every page that people read, by its path in the repository. */
export const docPages: readonly string[] = [
  ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/README.md", "examples/README.md"],
  ...readdirSync(path.join(checkout, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

/** The text of a file of the repository. */
export function readDoc(page: string): string {
  return readFileSync(path.join(checkout, page), "utf8");
}

/** All code blocks of a page, in their order. */
export function docBlocks(page: string): DocBlock[] {
  const parts =
    /^#+ (?<title>.+)$|^(?:<!-- tested: (?<tested>[^]*?) -->\s+)?```(?<language>\w*)\n(?<code>[^]*?)^```$/gm;
  let heading = "";
  const blocks: DocBlock[] = [];
  for (const { groups = {} } of readDoc(page).matchAll(parts)) {
    heading = groups.title ?? heading;
    const { language, code, tested } = groups;
    if (language === undefined || code === undefined) continue;
    blocks.push({ heading, language, code, tested });
  }
  return blocks;
}

/**
 * A page's first code block of a language under the heading that starts with these words.
 *
 * @throws Error when there is none.
 */
export function docBlock(page: string, heading: string, language: string): string {
  const block = docBlocks(page).find(
    (block) => block.heading.startsWith(heading) && block.language === language,
  );
  if (block === undefined) throw new Error(`${page} has no ${language} block under "${heading}"`);
  return block.code;
}
