import { rm } from "node:fs/promises";
import { dirname } from "node:path";

import { buildCli } from "./build-cli";
import {
  downloadCli,
  downloadPostgresqlPlugin,
  findCliArchive,
  findPluginArchive,
} from "./download";
import { childEnvironment, inBinDirectory } from "./child-environment";
import { findCli, findPieces, type Found } from "./find";
import { withLock } from "../../scripts/lock.cjs";
import { type Piece, type PieceName, describeRejected } from "./piece";
import { made, type Places, usualPlaces } from "./places";
import { SetUpError, withProgress } from "../../scripts/tool.cjs";
import { writeLauncher } from "../standins/launchers";

/** Everything that runs a Pulumi program of this project. */
export interface Engine {
  /** Absolute path of the CLI, always `<root>/bin/pulumi`, as `PulumiCommand.get({ root })` wants. */
  readonly pulumi: string;
  /** The variables with which a child's CLI finds the other pieces, and looks for no updates. */
  readonly env: Readonly<Record<string, string>>;
  readonly pieces: readonly Piece[];
}

/**
 * Finds each piece, or makes it. In this order: what is installed and fits, the official download, a
 * build of the CLI from its Go module, this project's stand-in. When all pieces are there it is quick
 * and reports only which pieces the user has installed that are not used, and why.
 *
 * What was made is used from then on: to try the official downloads again, remove `.engine`.
 *
 * @param report gets, in whole lines, what is done and how far it is
 * @throws {SetUpError} when the CLI can neither be found nor downloaded nor built
 */
export async function obtainEngine(
  report: (line: string) => void,
  places: Places = usualPlaces(),
): Promise<Engine> {
  const { found, rejected } = await findPieces(places);
  for (const piece of rejected) report(describeRejected(piece));
  if (isWhole(found)) return engineOf(places, found);
  return withLock(
    places.engine,
    "obtain",
    (pid) => report(`engine: waiting for another set-up (process ${pid ?? "unknown"})`),
    async () => engineOf(places, await makeMissing(places, report)),
  );
}

type Whole = { readonly [piece in keyof Found]: Piece };

function isWhole(found: Found): found is Whole {
  return Object.values(found).every((piece) => piece !== undefined);
}

async function engineOf(places: Places, found: Whole): Promise<Engine> {
  // An older version of this project may have written these launchers, with other contents.
  for (const { origin, name, path } of Object.values(found)) {
    if (origin === "stand-in" || origin === "npm package") await launch(dirname(path), name);
  }
  return {
    pulumi: await inBinDirectory(places, found.cli.path),
    env: childEnvironment(places, found),
    pieces: Object.values(found),
  };
}

/** Makes what is missing. The caller holds the lock, so only one process does this at a time. */
async function makeMissing(places: Places, report: (line: string) => void): Promise<Whole> {
  await rm(made.unfinished(places), { recursive: true, force: true });
  // Another process may have made it while this one waited.
  let { found } = await findPieces(places);
  const [cliArchive, pluginArchive] = await withProgress(
    report,
    () => "engine: looking for the official downloads",
    () =>
      Promise.all([
        found.cli && found.languageHost ? undefined : findCliArchive(places, report),
        found.postgresqlPlugin ? undefined : findPluginArchive(places, report),
      ]),
  );

  const downloaded = cliArchive !== undefined && (await downloadCli(places, cliArchive, report));
  if (!found.cli && !downloaded) await buildCli(places, report);
  if (!(await findCli(places)))
    throw new SetUpError("The Pulumi CLI was made but does not run: remove .engine, try again");
  if (pluginArchive) await downloadPostgresqlPlugin(places, pluginArchive, report);

  ({ found } = await findPieces(places));
  if (!found.languageHost) {
    report(`Node language host: ${NO_OFFICIAL_ONE}`);
    await launch(made.bin(places), "Node language host");
  }
  if (!found.postgresqlPlugin) {
    report(`postgresql plugin: ${NO_OFFICIAL_ONE}`);
    await launch(made.standIns(places), "postgresql plugin");
  }
  if (!found.dynamicProvider) await launch(made.bin(places), "dynamic provider");
  await rm(made.unfinished(places), { recursive: true, force: true });

  ({ found } = await findPieces(places));
  if (isWhole(found)) return found;
  throw new SetUpError("The engine was made but a piece is not found: remove .engine, try again");
}

async function launch(directory: string, name: PieceName): Promise<void> {
  const launched = {
    "Node language host": "language-host",
    "postgresql plugin": "postgresql",
    "dynamic provider": "dynamic-provider",
    "Pulumi CLI": undefined,
  } as const;
  const piece = launched[name];
  if (piece) await writeLauncher(directory, piece);
}

const NO_OFFICIAL_ONE =
  "no official one that fits is to be had, so this project's stand-in takes its place";
