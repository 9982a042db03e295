import dbmatePackage from "dbmate/package.json";

import { reasonOf, runTool } from "../../scripts/tool.cjs";
import { type Finding, finding } from "./finding";

/** Tries dbmate by its own binary, which is what the migrations run too, not by its npm script. */
export function tryDbmate(): Promise<Finding> {
  const known = { piece: "dbmate", version: dbmatePackage.version, origin: "npm package" };
  return finding(known, "Run `npm ci`", async () => {
    const { resolveBinary } = await import("dbmate");
    const { ok, output } = await runTool(resolveBinary(), ["--version"]);
    if (!ok) throw new Error(`It does not run: ${reasonOf(output, ".")}`);
    return {};
  });
}
