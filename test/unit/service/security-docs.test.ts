import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

const root = path.resolve(__dirname, "../../../..");

test("what docs/security.md names as holding somebody is there", () => {
  const text = readFileSync(path.join(root, "docs/security.md"), "utf8");
  const named = [...text.matchAll(/`([a-z-]+\/[\w/.-]*)`/g)].map(([, file]) => file ?? "");
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
});
