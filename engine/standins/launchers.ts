import { randomBytes } from "node:crypto";
import { mkdir, realpath, rename, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";

/** What a launcher starts. */
export type LaunchedPiece = "language-host" | "postgresql" | "dynamic-provider";

/**
 * Writes the executable by which the Pulumi CLI starts a piece: a shell script that becomes node. It
 * names a stand-in by a path relative to itself, so that the folder that holds both can be moved. The
 * dynamic provider is the SDK's, which node finds from the directory of the Pulumi program.
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
    // Pulumi's own script starts node twice, this one once. With -e, the first word after -- is
    // process.argv[1], where a script has its name.
    body: `exec node -e '${DYNAMIC_PROVIDER}' -- dynamic-provider "$@"`,
  }),
};

/**
 * The SDK's dynamic provider never ends when the engine that started it is killed. This text ends it then,
 * as `whenParentDies` in engine/system/plugin-server.ts does, which cannot be imported here. Without
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
