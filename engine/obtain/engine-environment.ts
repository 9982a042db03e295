import { randomBytes } from "node:crypto";
import { mkdir, readlink, rename, symlink } from "node:fs/promises";
import { realpathSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";

import type { Found } from "./find";
import type { Piece } from "./piece";
import { made, onPath, type Places, pluginDirectory, usersPath } from "./places";

/**
 * What a process needs beside the user's own environment, so that the CLI uses just these pieces,
 * asks nobody for updates and downloads nothing unasked.
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
    // Else grpc-js sends even what is for 127.0.0.1 through the proxy of the environment, and no
    // program reaches its engine. It heeds no_proxy too, but only when this one is not set.
    no_grpc_proxy: [no_grpc_proxy, no_proxy, "127.0.0.1", "localhost"].filter(Boolean).join(","),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION:
      places.environment.PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION ?? "true",
  };
}

/**
 * The CLI looks beside itself without being told, and in its plugin cache for just the version that
 * the npm package names. It warns of plugins that it finds on the PATH, so what need not be there
 * stays away.
 */
function isFoundUnasked(piece: Piece, cli: Piece | undefined): boolean {
  const own = cli && dirname(realpathSync(cli.path));
  return (
    (piece !== cli && dirname(piece.path) === own) ||
    (piece.origin === "~/.pulumi" && basename(dirname(piece.path)) === pluginDirectory)
  );
}

/**
 * The CLI as `<root>/bin/pulumi`: the Automation API takes only that form. An unpacked archive of
 * Pulumi has no `bin`, so such a CLI gets a link, through which it still finds what is beside it.
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
