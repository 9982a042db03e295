import { parseArgs } from "node:util";
import { version } from "@pulumi/pulumi/package.json";
import { nodeLanguageHost } from "./service";
import { servePlugin } from "../serve";

/** The engine starts a plugin with flags for its log and tracing, and then its own address. */
const { values, positionals } = parseArgs({
  strict: false,
  allowPositionals: true,
  options: { tracing: { type: "string" }, v: { type: "string", short: "v" } },
});
const engine = {
  address: positionals.at(-1) ?? "",
  tracing: typeof values.tracing === "string" ? values.tracing : "",
};

void servePlugin(nodeLanguageHost(engine, version));
