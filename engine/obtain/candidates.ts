import { existsSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

import { rsort, valid } from "semver";

import { executables, type Origin, type Piece, type PieceName } from "./piece";
import { onPath, type Places, pulumiHome, usersPath } from "./places";
import { fits, oldestPostgresqlPlugin, requiredVersions } from "./piece";

/** A path where a piece may be. Nobody has looked yet whether one is there, and whether it fits. */
export interface Candidate {
  readonly origin: Origin;
  readonly path: string;
}

/** Where a CLI, and what comes with it, may have been installed by the user. */
export function userHas(places: Places, name: PieceName): Candidate[] {
  return [...onUsersPath(places, name), beside(pulumiHome(places), name, "~/.pulumi")];
}

/** The executables of that name on the user's PATH. */
export function onUsersPath(places: Places, name: PieceName): Candidate[] {
  return onPath(executables[name], usersPath(places)).map((path) => ({ origin: "PATH", path }));
}

/** Where the official installation script puts a piece. */
export function beside(root: string, name: PieceName, origin: Origin): Candidate {
  return { origin, path: join(root, "bin", executables[name]) };
}

/**
 * The postgresql plugins in a plugin cache that fit: first the version that the npm package names, then
 * the others from the newest to the oldest. When none fits it is the newest of those that do not, so
 * that the user is told that it was found and is not used.
 *
 * Pulumi marks a plugin whose download was cut short by a file `.partial` beside it: that one is left
 * out.
 */
export function cached(plugins: string, origin: Origin): Candidate[] {
  const prefix = "resource-postgresql-v";
  const newestFirst = rsort(
    (existsSync(plugins) ? readdirSync(plugins) : [])
      .filter((file) => file.startsWith(prefix) && !existsSync(join(plugins, `${file}.partial`)))
      .map((file) => file.slice(prefix.length))
      .filter((version) => valid(version)),
  );
  const fitting = newestFirst.filter((version) => fits(version, oldestPostgresqlPlugin));
  const named = fitting.filter((version) => version === requiredVersions.postgresqlPlugin);
  const tried = fitting.length > 0 ? [...new Set([...named, ...fitting])] : newestFirst.slice(0, 1);
  return tried.map((version) => ({
    origin,
    path: join(plugins, `${prefix}${version}`, executables["postgresql plugin"]),
  }));
}

/**
 * The piece that was installed together with a CLI, which lies beside it. None for a CLI that this project
 * built: what lies beside that one, this project has put there itself.
 */
export function ownOf(cli: Piece | undefined, name: PieceName): Candidate[] {
  if (!cli || cli.origin === "built") return [];
  return [{ origin: cli.origin, path: join(dirname(realpathSync(cli.path)), executables[name]) }];
}
