import { randomBytes } from "node:crypto";
import { mkdir, readlink, rename, symlink } from "node:fs/promises";
import { realpathSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";

import type { Found } from "./find";
import type { Piece } from "./piece";
import { made, onPath, type Places, pluginDirectory, usersPath } from "./places";

/**
 * The variables that a process gets on top of the user's environment, so that the CLI it starts uses
 * just these pieces, does not look for updates, and downloads nothing that the user did not ask for.
 */
export function childEnvironment(
  places: Places,
  { cli, languageHost, postgresqlPlugin, dynamicProvider }: Found,
): Readonly<Record<string, string>> {
  let path = usersPath(places);
  for (const piece of [postgresqlPlugin, dynamicProvider, languageHost, cli]) {
    if (!piece) continue;
    const [first] = onPath(basename(piece.path), path);
    if (first === undefined && isFoundUnasked(piece, cli)) continue;
    if (first !== piece.path) path = `${dirname(piece.path)}${delimiter}${path}`;
  }
  const { no_grpc_proxy, no_proxy } = places.environment;
  return {
    PATH: path,
    // Without it grpc-js sends calls to 127.0.0.1 through the proxy that the environment names, and no
    // program reaches its engine. grpc-js reads no_proxy only where no_grpc_proxy is not set, so the
    // user's no_proxy is repeated here.
    no_grpc_proxy: [no_grpc_proxy, no_proxy, "127.0.0.1", "localhost"].filter(Boolean).join(","),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION:
      places.environment.PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION ?? "true",
  };
}

/**
 * Whether the CLI finds the piece without its folder on the PATH: it looks beside itself, and in its
 * plugin cache for just the version that the npm package names. Such a piece is not put on the PATH,
 * because the CLI warns of every plugin that it finds there.
 */
function isFoundUnasked(piece: Piece, cli: Piece | undefined): boolean {
  const own = cli && dirname(realpathSync(cli.path));
  return (
    (piece !== cli && dirname(piece.path) === own) ||
    (piece.origin === "~/.pulumi" && basename(dirname(piece.path)) === pluginDirectory)
  );
}

/**
 * A path to the CLI of the form `<root>/bin/pulumi`, which is the only one that the Automation API takes.
 * An unpacked archive of Pulumi has no folder `bin`; for such a CLI this makes a symbolic link. The CLI
 * resolves the link, so it still finds the plugins beside it.
 */
export async function inBinDirectory(places: Places, cli: string): Promise<string> {
  if (basename(dirname(cli)) === "bin") return cli;
  const link = join(made.link(places), "bin", "pulumi");
  if ((await readlink(link).catch(() => undefined)) === cli) return link;
  const half = `${link}.${randomBytes(4).toString("hex")}`;
  await mkdir(dirname(link), { recursive: true });
  await symlink(cli, half);
  await rename(half, link);
  return link;
}
