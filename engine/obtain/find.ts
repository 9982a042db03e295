import { realpathSync } from "node:fs";
import { join } from "node:path";

import { major } from "semver";

import { beside, cached, type Candidate, onUsersPath, ownOf, userHas } from "./candidates";
import { executables, type RejectedPiece, type Piece, type PieceName } from "./piece";
import { isExecutable, made, type Places, pulumiHome } from "./places";
import { askPlugin } from "../system/plugin-client";
import { runTool } from "../../scripts/tool.cjs";
import { toolEnvironment } from "./tool-environment";
import { fits, oldestPostgresqlPlugin, requiredVersions } from "./piece";

/** The pieces that were found; one that is missing is undefined. */
export interface Found {
  readonly cli: Piece | undefined;
  readonly languageHost: Piece | undefined;
  readonly postgresqlPlugin: Piece | undefined;
  readonly dynamicProvider: Piece | undefined;
}

/** What a search for all pieces found. */
export interface Search {
  readonly found: Found;
  /** Pieces that were looked at before one that fits was found, or before the search ended without one. */
  readonly rejected: readonly RejectedPiece[];
}

/** Looks for every piece. It downloads, builds and writes nothing. */
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
    rejected: [cli, languageHost, postgresqlPlugin].flatMap(({ rejected }) => rejected),
  };
}

/**
 * The first CLI that is there and fits: on the PATH, in Pulumi's own directory, from an earlier
 * download, from an earlier build.
 */
export async function findCli(places: Places): Promise<Piece | undefined> {
  return (await searchCli(places)).piece;
}

/** The version of a CLI without the leading v; undefined when it is missing or does not run. */
export async function cliVersion(path: string, places: Places): Promise<string | undefined> {
  if (!isExecutable(path)) return undefined;
  const { ok, output } = await runTool(path, ["version"], {
    environment: { ...toolEnvironment(places), PULUMI_SKIP_UPDATE_CHECK: "true" },
  });
  return ok
    ? output.map((line) => /^v(\d+\.\d+\.\d+\S*)$/.exec(line)?.[1]).find(Boolean)
    : undefined;
}

interface Outcome {
  readonly piece: Piece | undefined;
  readonly rejected: readonly RejectedPiece[];
}

function searchCli(places: Places): Promise<Outcome> {
  const candidates: Candidate[] = [
    ...userHas(places, "Pulumi CLI"),
    beside(made.download(places), "Pulumi CLI", "download"),
    { origin: "built", path: join(made.bin(places), "pulumi") },
  ];
  return firstFit("Pulumi CLI", candidates, requiredVersions.cli, async (path) => {
    const version = await cliVersion(path, places);
    if (version === undefined) throw new Error("`pulumi version` does not work");
    return version;
  });
}

/**
 * The first language host that is there and fits: the one beside the CLI, else one that another
 * installation of Pulumi brought, else the stand-in, if an earlier run has written it. Each is started
 * and asked for its version, because an upgrade of the CLI can leave an older language host beside it.
 */
async function searchLanguageHost(places: Places, cli: Piece | undefined): Promise<Outcome> {
  const name = "Node language host";
  const candidates = [
    ...ownOf(cli, name),
    ...userHas(places, name),
    beside(made.download(places), name, "download"),
  ];
  const { piece, rejected } = await firstFit(name, candidates, requiredVersions.cli, (path) =>
    askPlugin(path, "LanguageRuntime", { environment: toolEnvironment(places) }),
  );
  return { piece: piece ?? standIn(name, made.bin(places), requiredVersions.cli), rejected };
}

/** The first postgresql plugin that is there and fits: official ones, then the stand-in. */
async function searchPostgresqlPlugin(places: Places): Promise<Outcome> {
  const name = "postgresql plugin";
  const candidates = [
    ...onUsersPath(places, name),
    ...cached(join(pulumiHome(places), "plugins"), "~/.pulumi"),
    ...cached(made.plugins(places), "download"),
  ];
  const { piece, rejected } = await firstFit(name, candidates, oldestPostgresqlPlugin, (path) =>
    askPlugin(path, "ResourceProvider", { environment: toolEnvironment(places) }),
  );
  return {
    piece: piece ?? standIn(name, made.standIns(places), requiredVersions.postgresqlPlugin),
    rejected,
  };
}

/**
 * The first candidate whose version fits.
 *
 * @param oldest the oldest version that fits
 * @param versionOf starts the candidate and asks for its version; throws when it does not work
 */
async function firstFit(
  name: PieceName,
  candidates: readonly Candidate[],
  oldest: string,
  versionOf: (path: string) => Promise<string>,
): Promise<Outcome> {
  const rejected: RejectedPiece[] = [];
  const seen = new Set<string>();
  for (const candidate of candidates) {
    if (!isExecutable(candidate.path) || seen.has(realpathSync(candidate.path))) continue;
    seen.add(realpathSync(candidate.path));
    try {
      const version = await versionOf(candidate.path);
      if (fits(version, oldest)) return { piece: { name, version, ...candidate }, rejected };
      const needed = `${oldest} or a later version ${major(oldest)} is needed`;
      const is = version === "" ? "it does not know its version" : `it is version ${version}`;
      rejected.push({ name, ...candidate, reason: `${is}, and ${needed}` });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      rejected.push({ name, ...candidate, reason });
    }
  }
  return { piece: undefined, rejected };
}

/**
 * The script that starts @pulumi/pulumi's dynamic provider: the one beside the CLI, else one on the PATH,
 * else the one that this project wrote to `.engine/bin`. Its version is not asked: each of them only
 * starts what the npm package brings.
 */
function findDynamicProvider(places: Places, cli: Piece | undefined): Piece | undefined {
  const name = "dynamic provider";
  const candidates: Candidate[] = [
    ...ownOf(cli, name),
    ...userHas(places, name),
    { origin: "npm package", path: join(made.bin(places), executables[name]) },
  ];
  const found = candidates.find(({ path }) => isExecutable(path));
  return found && { name, version: requiredVersions.cli, ...found };
}

function standIn(name: PieceName, directory: string, version: string): Piece | undefined {
  const path = join(directory, executables[name]);
  return isExecutable(path) ? { name, version, origin: "stand-in", path } : undefined;
}
