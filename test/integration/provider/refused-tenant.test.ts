import { spawnSync } from "node:child_process";
import path from "node:path";

test("a tenant whose registration fails fails what waits for its owner", () => {
  const program = path.resolve(__dirname, "../../support/refused-tenant.js");
  const { stdout } = spawnSync(process.execPath, [program], { encoding: "utf8" });
  expect(stdout).toContain("acme [pulumi-tenant:index:Tenant]: the engine was cut off");
});
