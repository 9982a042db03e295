import { generatedPages, generatePage } from "../../../docs/generate/pages";
import { readDoc } from "../../support/docs";

test.each(generatedPages)("%s says what the code says; else run: npm run docs", async (page) => {
  expect(readDoc(page)).toBe(await generatePage(page));
});
