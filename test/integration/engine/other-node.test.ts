import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { withNode } from "../../support/other-node";

test("without the npm registry, the tests on another Node fail with the reason", async () => {
  const cache = mkdtempSync(join(tmpdir(), "npm-cache-"));
  const used: string[] = [];
  const environment = {
    ...process.env,
    npm_config_cache: cache,
    npm_config_registry: "http://127.0.0.1:1/",
  };
  try {
    const attempt = withNode("22.23.3", (bin) => Promise.resolve(used.push(bin)), environment);
    await expect(attempt).rejects.toThrow(
      /^The tests on Node 22\.23\.3 need node-\S+@22\.23\.3 of the npm registry:\n.*ECONNREFUSED/s,
    );
    expect(used).toEqual([]);
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
});
