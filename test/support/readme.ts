import { readFileSync } from "node:fs";
import path from "node:path";

const readme = readFileSync(path.resolve(__dirname, "../../../README.md"), "utf8");

/**
 * The README's first code block of a language under the heading that starts with these words.
 *
 * @throws Error when there is none.
 */
export function readmeBlock(heading: string, language: string): string {
  const section = readme.split(/^##+ /m).find((text) => text.startsWith(heading)) ?? "";
  const code = new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(section)?.[1];
  if (code === undefined) throw new Error(`README has no ${language} block under "${heading}"`);
  return code;
}
