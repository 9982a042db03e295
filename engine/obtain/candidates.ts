import { existsSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

import { rsort, valid } from "semver";

import { executables, type Origin, type Piece, type PieceName } from "./piece";
import { onPath, type Places, pulumiHome, usersPath } from "./places";
import { fits, oldestPostgresqlPlugin, wanted } from "./wanted";

/** Where a piece may be; whether one is there, and fits, is not known yet. */
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
 * The plugins of a plugin cache that fit: the one that the npm package names, then the newest first.
 * Where none does, the newest, to say that it was there. Pulumi marks a plugin whose download was
 * cut short with a file `.partial`.
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
  const named = fitting.filter((version) => version === wanted.postgresqlPlugin);
  const tried = fitting.length > 0 ? [...new Set([...named, ...fitting])] : newestFirst.slice(0, 1);
  return tried.map((version) => ({
    origin,
    path: join(plugins, `${prefix}${version}`, executables["postgresql plugin"]),
  }));
}

/** What came with a CLI lies beside it. Beside a built one lies what this project put there. */
export function ownOf(cli: Piece | undefined, name: PieceName): Candidate[] {
  if (!cli || cli.origin === "built") return [];
  return [{ origin: cli.origin, path: join(dirname(realpathSync(cli.path)), executables[name]) }];
}
