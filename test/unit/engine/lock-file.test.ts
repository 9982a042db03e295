import { readFileSync } from "node:fs";
import { join } from "node:path";

import { checkout } from "../../../engine/obtain/places";

/** What package-lock.json says of a package. */
interface Entry {
  readonly version?: string;
  readonly integrity?: string;
  readonly link?: boolean;
}

// npm leaves the digest out where it knows a package by another package's list of optional ones only. The
// registry that completed the others has these, dbmate's binaries for other systems, in older versions
// only. Whose registry has them adds `npm view NAME@VERSION dist.integrity` to the lock file, and takes
// the name out here.
const UNKNOWN = [
  "darwin-arm64",
  "darwin-x64",
  "linux-arm",
  "linux-arm64",
  "linux-ia32",
  "win32-x64",
];

test("npm compares each package with a digest of the lock file before it runs anything of it", () => {
  const text = readFileSync(join(checkout, "package-lock.json"), "utf8");
  const { packages } = JSON.parse(text) as { packages: Record<string, Entry> };
  const ofRegistry = Object.entries(packages).filter(([path, { link }]) => path !== "" && !link);
  expect(ofRegistry.length).toBeGreaterThan(700);
  const without = ofRegistry.filter(([, { integrity }]) => !/^sha512-.{88}$/.test(integrity ?? ""));
  expect(without.map(([path]) => path)).toEqual(
    UNKNOWN.map((platform) => `node_modules/@dbmate/${platform}`),
  );
});
