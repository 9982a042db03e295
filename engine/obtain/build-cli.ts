import { chmod, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";

import { checkout, made, onPath, type Places } from "./places";
import { reasonOf, runTool, SetUpError, withProgress } from "../../scripts/tool.cjs";
import { requiredVersions } from "./piece";
import { toolEnvironment } from "./tool-environment";

const COMMAND = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi";
const VERSION = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version";

/**
 * Builds the CLI from its Go module, `engine/obtain/cli/go.mod`, into `.engine/bin`. It takes some
 * minutes the first time, and seconds when the compiled packages are in Go's build cache already.
 *
 * @param report gets a line about every two seconds: how far it is
 * @throws {SetUpError} when there is no Go, or Go fails; the message ends with what Go said
 */
export async function buildCli(places: Places, report: (line: string) => void): Promise<void> {
  const [go] = onPath("go", places.environment.PATH);
  if (go === undefined) {
    throw new SetUpError(
      `There is no Pulumi CLI ${requiredVersions.cli} or newer, it was not downloaded, and Go, ` +
        "which would build it, is not installed: install one of them (https://go.dev/dl/)",
    );
  }
  const what = `Pulumi CLI: building v${requiredVersions.cli} from its Go module`;
  const module = join(checkout, "engine", "obtain", "cli");
  const run = (args: readonly string[], onLine: (line: string) => void) =>
    runTool(go, args, { cwd: module, environment: toolEnvironment(places), onLine });

  let modules = 0;
  let toCompile = 0;
  const listing = await withProgress(
    report,
    () => `${what}: ${modules} modules downloaded`,
    () =>
      run(["list", "-deps", "-f", "{{.Stale}}", COMMAND], (line) => {
        if (line.startsWith("go: downloading")) modules += 1;
        if (line === "true") toCompile += 1;
      }),
  );
  if (!listing.ok) throw failure(listing.output, places);

  let compiled = 0;
  const half = join(made.unfinished(places), "pulumi");
  await mkdir(made.unfinished(places), { recursive: true });
  const build = await withProgress(
    report,
    () =>
      // The last package is the command itself. Compiling it is quick; linking all of them is not.
      compiled < toCompile - 1
        ? `${what}: ${compiled} of ${toCompile} packages compiled`
        : `${what}: linking`,
    () =>
      // -s -w leave out the symbol tables, which are a third of its size. -trimpath is not used: with
      // it Go would compile every package anew, whatever its build cache holds.
      run(
        [
          "build",
          "-v",
          "-ldflags",
          `-s -w -X ${VERSION}=v${requiredVersions.cli}`,
          "-o",
          half,
          COMMAND,
        ],
        () => (compiled += 1),
      ),
  );
  if (!build.ok) throw failure(build.output, places);
  await mkdir(made.bin(places), { recursive: true });
  await chmod(half, 0o755);
  await rename(half, join(made.bin(places), "pulumi"));
}

function failure(output: readonly string[], places: Places): SetUpError {
  return new SetUpError(
    `There is no Pulumi CLI ${requiredVersions.cli} or newer, it was not downloaded, and Go ` +
      `cannot build it: ${reasonOf(output, places.engine)}`,
  );
}
