import { realpathSync } from "node:fs";
import { join } from "node:path";

import { major } from "semver";

import { beside, cached, type Candidate, onUsersPath, ownOf, userHas } from "./candidates";
import { executables, type PassedOver, type Piece, type PieceName } from "./piece";
import { isExecutable, made, type Places, pulumiHome } from "./places";
import { askPlugin } from "./plugin-process";
import { runTool } from "../../scripts/tool.cjs";
import { fits, oldestPostgresqlPlugin, wanted } from "./wanted";

/** Where each piece was found; a missing one is undefined. */
export interface Found {
  readonly cli: Piece | undefined;
  readonly languageHost: Piece | undefined;
  readonly postgresqlPlugin: Piece | undefined;
  readonly dynamicProvider: Piece | undefined;
}

/** What a search for all pieces found. */
export interface Search {
  readonly found: Found;
  /** What was there before the first that fits, or in place of one that is missing. */
  readonly passedOver: readonly PassedOver[];
}

/** Looks for every piece and makes nothing. */
export async function findPieces(places: Places): Promise<Search> {
  const [cli, postgresqlPlugin] = await Promise.all([
    searchCli(places),
    searchPostgresqlPlugin(places),
  ]);
  const languageHost = await searchLanguageHost(places, cli.piece);
  return {
    found: {
      cli: cli.piece,
      languageHost: languageHost.piece,
      postgresqlPlugin: postgresqlPlugin.piece,
      dynamicProvider: findDynamicProvider(places, cli.piece),
    },
    passedOver: [cli, languageHost, postgresqlPlugin].flatMap(({ passedOver }) => passedOver),
  };
}

/**
 * The first CLI that is there and fits: on the PATH, in Pulumi's own directory, from an earlier
 * download, from an earlier build.
 */
export async function findCli(places: Places): Promise<Piece | undefined> {
  return (await searchCli(places)).piece;
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

interface Outcome {
  readonly piece: Piece | undefined;
  readonly passedOver: readonly PassedOver[];
}

function searchCli(places: Places): Promise<Outcome> {
  const candidates: Candidate[] = [
    ...userHas(places, "Pulumi CLI"),
    beside(made.download(places), "Pulumi CLI", "download"),
    { origin: "built", path: join(made.bin(places), "pulumi") },
  ];
  return firstFit("Pulumi CLI", candidates, wanted.cli, async (path) => {
    const version = await cliVersion(path, places);
    if (version === undefined) throw new Error("`pulumi version` does not work");
    return version;
  });
}

/**
 * The first language host that is there and fits: beside the CLI, whose own it then is, else
 * wherever a CLI may have brought one, else the stand-in, if an earlier run settled for it. Each is
 * asked for its version: one that was left behind by an older CLI may lie beside a newer one.
 */
async function searchLanguageHost(places: Places, cli: Piece | undefined): Promise<Outcome> {
  const name = "Node language host";
  const candidates = [
    ...ownOf(cli, name),
    ...userHas(places, name),
    beside(made.download(places), name, "download"),
  ];
  const { piece, passedOver } = await firstFit(name, candidates, wanted.cli, (path) =>
    askPlugin(path, "LanguageRuntime", places),
  );
  return { piece: piece ?? standIn(name, made.bin(places), wanted.cli), passedOver };
}

/** The first postgresql plugin that is there and fits: official ones, then the stand-in. */
async function searchPostgresqlPlugin(places: Places): Promise<Outcome> {
  const name = "postgresql plugin";
  const candidates = [
    ...onUsersPath(places, name),
    ...cached(join(pulumiHome(places), "plugins"), "~/.pulumi"),
    ...cached(made.plugins(places), "download"),
  ];
  const { piece, passedOver } = await firstFit(name, candidates, oldestPostgresqlPlugin, (path) =>
    askPlugin(path, "ResourceProvider", places),
  );
  return {
    piece: piece ?? standIn(name, made.standIns(places), wanted.postgresqlPlugin),
    passedOver,
  };
}

/** @param versionOf throws when what has the piece's name is none, or does not work */
async function firstFit(
  name: PieceName,
  candidates: readonly Candidate[],
  oldest: string,
  versionOf: (path: string) => Promise<string>,
): Promise<Outcome> {
  const passedOver: PassedOver[] = [];
  const seen = new Set<string>();
  for (const candidate of candidates) {
    if (!isExecutable(candidate.path) || seen.has(realpathSync(candidate.path))) continue;
    seen.add(realpathSync(candidate.path));
    try {
      const version = await versionOf(candidate.path);
      if (fits(version, oldest)) return { piece: { name, version, ...candidate }, passedOver };
      const needed = `${oldest} or a later version ${major(oldest)} is needed`;
      const is = version === "" ? "it does not know its version" : `it is version ${version}`;
      passedOver.push({ name, ...candidate, reason: `${is}, and ${needed}` });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      passedOver.push({ name, ...candidate, reason });
    }
  }
  return { piece: undefined, passedOver };
}

/**
 * The script that starts @pulumi/pulumi's dynamic provider: beside the CLI, else on the PATH, else
 * the one that was written beside a built CLI. What runs is the npm package in each case.
 */
function findDynamicProvider(places: Places, cli: Piece | undefined): Piece | undefined {
  const name = "dynamic provider";
  const candidates: Candidate[] = [
    ...ownOf(cli, name),
    ...userHas(places, name),
    { origin: "npm package", path: join(made.bin(places), executables[name]) },
  ];
  const found = candidates.find(({ path }) => isExecutable(path));
  return found && { name, version: wanted.cli, ...found };
}

function standIn(name: PieceName, directory: string, version: string): Piece | undefined {
  const path = join(directory, executables[name]);
  return isExecutable(path) ? { name, version, origin: "stand-in", path } : undefined;
}
