import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

import { executables, type Origin, type Piece, type PieceName } from "./piece";
import {
  isExecutable,
  made,
  onPath,
  type Places,
  pluginDirectory,
  pulumiHome,
  usersPath,
} from "./places";
import { askPlugin, type PluginService } from "./plugin-process";
import { runTool } from "./tool.cjs";
import { fits, wanted } from "./wanted";

/** Where each piece was found; a missing one is undefined. */
export interface Found {
  readonly cli: Piece | undefined;
  readonly languageHost: Piece | undefined;
  readonly postgresqlPlugin: Piece | undefined;
  readonly dynamicProvider: Piece | undefined;
}

/** Looks for every piece and makes nothing. */
export async function findPieces(places: Places): Promise<Found> {
  const [cli, postgresqlPlugin] = await Promise.all([
    findCli(places),
    findPostgresqlPlugin(places),
  ]);
  return {
    cli,
    languageHost: await findLanguageHost(places, cli),
    postgresqlPlugin,
    dynamicProvider: findDynamicProvider(places, cli),
  };
}

interface Candidate {
  readonly origin: Origin;
  readonly path: string;
}

/**
 * The first CLI that is there and fits: on the PATH, in Pulumi's own directory, from an earlier
 * download, from an earlier build.
 */
export async function findCli(places: Places): Promise<Piece | undefined> {
  for (const candidate of [
    ...userHas(places, "Pulumi CLI"),
    beside(made.download(places), "Pulumi CLI", "download"),
    { origin: "built", path: join(made.bin(places), "pulumi") } as const,
  ]) {
    const version = await cliVersion(candidate.path, places);
    if (version && fits(version, wanted.cli)) return { name: "Pulumi CLI", version, ...candidate };
  }
  return undefined;
}

/** The version of a CLI without the leading v; nothing when it is missing or does not run. */
export async function cliVersion(path: string, places: Places): Promise<string | undefined> {
  if (!isExecutable(path)) return undefined;
  const { ok, output } = await runTool(path, ["version"], {
    environment: { ...places.environment, PULUMI_SKIP_UPDATE_CHECK: "true" },
  });
  return ok
    ? output.map((line) => /^v(\d+\.\d+\.\d+\S*)$/.exec(line)?.[1]).find(Boolean)
    : undefined;
}

/**
 * The first language host that is there and fits: beside the CLI, whose own it then is, else
 * wherever a CLI may have brought one, else the stand-in, if an earlier run settled for it.
 */
async function findLanguageHost(
  places: Places,
  cli: Piece | undefined,
): Promise<Piece | undefined> {
  const name = "Node language host";
  const own = cli && cli.origin !== "built" ? ownOf(cli, name) : undefined;
  if (own) return own;
  for (const candidate of [
    ...userHas(places, name),
    beside(made.download(places), name, "download"),
  ]) {
    const found = await asPlugin(name, candidate, "LanguageRuntime", wanted.cli, places);
    if (found) return found;
  }
  return standIn(name, made.bin(places), wanted.cli);
}

/** The first postgresql plugin that is there and fits: official ones, then the stand-in. */
async function findPostgresqlPlugin(places: Places): Promise<Piece | undefined> {
  const name = "postgresql plugin";
  for (const candidate of [
    ...onUsersPath(places, name),
    ...cached(join(pulumiHome(places), "plugins"), "~/.pulumi"),
    ...cached(made.plugins(places), "download"),
  ]) {
    const found = await asPlugin(
      name,
      candidate,
      "ResourceProvider",
      wanted.postgresqlPlugin,
      places,
    );
    if (found) return found;
  }
  return standIn(name, made.standIns(places), wanted.postgresqlPlugin);
}

/**
 * The script that starts @pulumi/pulumi's dynamic provider: beside the CLI, else on the PATH, else
 * the one that was written beside a built CLI. What runs is the npm package in each case.
 */
function findDynamicProvider(places: Places, cli: Piece | undefined): Piece | undefined {
  const name = "dynamic provider";
  const own = cli && cli.origin !== "built" ? ownOf(cli, name) : undefined;
  if (own) return own;
  const candidates: Candidate[] = [
    ...userHas(places, name),
    { origin: "npm package", path: join(made.bin(places), executables[name]) },
  ];
  const found = candidates.find(({ path }) => isExecutable(path));
  return found && { name, version: wanted.cli, ...found };
}

/** What came with a CLI lies beside it, and has its version. */
function ownOf(cli: Piece, name: PieceName): Piece | undefined {
  const path = join(dirname(realpathSync(cli.path)), executables[name]);
  return isExecutable(path) ? { ...cli, name, path } : undefined;
}

async function asPlugin(
  name: PieceName,
  candidate: Candidate,
  service: PluginService,
  atLeast: string,
  { environment }: Places,
): Promise<Piece | undefined> {
  if (!isExecutable(candidate.path)) return undefined;
  try {
    const version = await askPlugin(candidate.path, service, { environment });
    return fits(version, atLeast) ? { name, version, ...candidate } : undefined;
  } catch {
    // Whatever has that name and does not speak is not what we look for.
    return undefined;
  }
}

function userHas(places: Places, name: PieceName): Candidate[] {
  return [...onUsersPath(places, name), beside(pulumiHome(places), name, "~/.pulumi")];
}

function onUsersPath(places: Places, name: PieceName): Candidate[] {
  return onPath(executables[name], usersPath(places)).map((path) => ({ origin: "PATH", path }));
}

function beside(root: string, name: PieceName, origin: Origin): Candidate {
  return { origin, path: join(root, "bin", executables[name]) };
}

/** Pulumi marks a plugin whose download was cut short with a file `.partial`. */
function cached(plugins: string, origin: Origin): Candidate[] {
  const directory = join(plugins, pluginDirectory);
  if (existsSync(`${directory}.partial`)) return [];
  return [{ origin, path: join(directory, executables["postgresql plugin"]) }];
}

function standIn(name: PieceName, directory: string, version: string): Piece | undefined {
  const path = join(directory, executables[name]);
  return isExecutable(path) ? { name, version, origin: "stand-in", path } : undefined;
}
