import { randomBytes } from "node:crypto";
import { mkdir, realpath, rename, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";

/** What a launcher starts. */
export type LaunchedPiece = "language-host" | "postgresql" | "dynamic-provider";

/**
 * Writes the executable by which the Pulumi engine finds a piece that is not its own binary: a
 * shell script that becomes node. The stand-ins it finds from its own place, so that the folder
 * that holds both may move; the dynamic provider, which is the SDK's, from the program's directory.
 *
 * @returns the script's path.
 * @throws Error of the file system.
 */
export async function writeLauncher(directory: string, piece: LaunchedPiece): Promise<string> {
  await mkdir(directory, { recursive: true });
  const { name, body } = LAUNCHERS[piece](await realpath(directory));
  const path = join(directory, name);
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await writeFile(draft, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
  return path;
}

const LAUNCHERS: Readonly<
  Record<LaunchedPiece, (directory: string) => { name: string; body: string }>
> = {
  "language-host": (directory) => ({
    name: "pulumi-language-nodejs",
    body: standIn(directory, "language-host/main.js"),
  }),
  postgresql: (directory) => ({
    name: "pulumi-resource-postgresql",
    body: standIn(directory, "postgresql/main.js"),
  }),
  "dynamic-provider": () => ({
    name: "pulumi-resource-pulumi-nodejs",
    // As Pulumi's own script, but in one start of node: the first word after -- takes the place of
    // the script's name in process.argv.
    body: `exec node -e '${DYNAMIC_PROVIDER}' -- dynamic-provider "$@"`,
  }),
};

/**
 * The SDK's own stays for ever when the engine is killed; this one ends with it (see serve.ts). Without
 * bigint, modules would not be found behind symbolic links: https://github.com/nodejs/node/issues/51142
 */
const DYNAMIC_PROVIDER = [
  `const stdin = require("fs").fstatSync(0, { bigint: true });`,
  `const end = () => process.exit(0);`,
  `if (stdin.isFIFO() || stdin.isSocket()) process.stdin.on("end", end).on("error", end).resume();`,
  `require("@pulumi/pulumi/cmd/dynamic-provider");`,
].join(" ");

function standIn(directory: string, script: string): string {
  const path = relative(directory, join(__dirname, script)).replaceAll("'", `'\\''`);
  return `# A stand-in, not the official plugin.\nexec node "$(dirname -- "$0")"/'${path}' "$@"`;
}
