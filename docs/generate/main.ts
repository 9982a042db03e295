/** `npm run docs`: writes the parts of the pages that are made from the code. */
import { writeFileSync } from "node:fs";
import { generatedPages, generatePage, pagePath } from "./pages";

main().catch((error: unknown) => {
  process.exitCode = 1;
  console.error(error);
});

async function main(): Promise<void> {
  for (const page of generatedPages) {
    writeFileSync(pagePath(page), await generatePage(page));
    console.log(page);
  }
}
