import type { Struct } from "google-protobuf/google/protobuf/struct_pb";

/**
 * The options of `runtime: { name: nodejs, options: … }` in Pulumi.yaml.
 * https://www.pulumi.com/docs/iac/languages-sdks/javascript/#configuration-options-pulumiyaml
 */
export interface RuntimeOptions {
  /** Whether `cmd/run` compiles TypeScript as it loads it. */
  readonly typescript: boolean;
  readonly tsconfig: string | undefined;
  readonly nodeargs: readonly string[];
  readonly packagemanager: string;
}

/**
 * Reads the options, with the official language host's defaults and messages.
 *
 * @throws Error that names the option that is not what it must be.
 */
export function runtimeOptions(struct: Struct | undefined): RuntimeOptions {
  const options: Record<string, unknown> = struct?.toJavaScript() ?? {};
  const { typescript = true, tsconfig, nodeargs = "", packagemanager = "auto" } = options;
  if (typeof typescript !== "boolean") throw new Error("typescript option must be a boolean");
  if (tsconfig !== undefined && typeof tsconfig !== "string") {
    throw new Error("tsconfigpath option must be a string");
  }
  if (typeof nodeargs !== "string") throw new Error("nodeargs option must be a string");
  if (typeof packagemanager !== "string") throw new Error("packagemanager option must be a string");
  return { typescript, tsconfig, nodeargs: words(nodeargs), packagemanager };
}

/** Splits a command line into words: at spaces that are not within quotes. */
function words(line: string): string[] {
  const found = line.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? [];
  return found.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, "$1$2"));
}
