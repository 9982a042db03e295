import { readFileSync } from "node:fs";
import path from "node:path";
import { architecture } from "./architecture";
import { configuration } from "./configuration";

const checkout = path.resolve(__dirname, "../../..");

const BEGIN = "<!-- generated: npm run docs -->";
const END = "<!-- end of generated -->";

/** Path of a page in the checkout → the part of it, in Markdown, that is made from the code. */
const parts: Readonly<Record<string, (checkout: string) => string>> = {
  "docs/configuration.md": configuration,
  "docs/architecture.md": architecture,
};

/** The pages of which a part is made from the code, by their paths in the checkout. */
export const generatedPages = Object.keys(parts);

/** Where a page is on this disk. */
export function pagePath(page: string): string {
  return path.join(checkout, page);
}

/**
 * The page as it must be: what people wrote, and between its two marks what the code says now.
 *
 * @throws Error when the page lacks its marks.
 */
export async function generatePage(page: string): Promise<string> {
  const text = readFileSync(pagePath(page), "utf8");
  const [before, rest] = text.split(BEGIN);
  const after = rest?.split(END)[1];
  const part = parts[page];
  if (before === undefined || after === undefined || part === undefined) {
    throw new Error(`${page} lacks its marks ${BEGIN} and ${END}`);
  }
  // An ES module, which this program is not.
  const { format, resolveConfig } = await import("prettier");
  const options = await resolveConfig(pagePath(page));
  const written = [before, BEGIN, "\n\n", part(checkout), "\n\n", END, after].join("");
  return format(written, { ...options, parser: "markdown" });
}
