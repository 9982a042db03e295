import { readFileSync } from "node:fs";
import { join } from "node:path";

import { checkout } from "../../../engine/obtain/places";
import { fits, requiredVersions } from "../../../engine/obtain/piece";

describe("the versions that fit", () => {
  it.each(["3.246.0", "v3.246.0", "3.246.1", "3.250.0", "3.247.0-alpha.1"])(
    "takes %s, which is the wanted 3.246.0 or newer",
    (version) => expect(fits(version, "3.246.0")).toBe(true),
  );

  it.each(["3.245.9", "2.300.0", "4.0.0", "3.246.0-alpha.1", "", "main"])(
    "refuses %p, which is older, of another major version, or no version",
    (version) => expect(fits(version, "3.246.0")).toBe(false),
  );

  it("are those that the Go module of the CLI builds", () => {
    const module = readFileSync(join(checkout, "engine", "obtain", "cli", "go.mod"), "utf8");
    expect(module).toContain(`github.com/pulumi/pulumi/pkg/v3 v${requiredVersions.cli}`);
    expect(module).toContain(`github.com/pulumi/pulumi/sdk/v3 v${requiredVersions.cli}`);
  });
});
