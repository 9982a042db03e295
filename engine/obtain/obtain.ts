import { rm } from "node:fs/promises";
import { dirname } from "node:path";

import { buildCli } from "./build-cli";
import {
  canDownloadPlugin,
  downloadCli,
  downloadPostgresqlPlugin,
  fetchInstallScript,
} from "./download";
import { childEnvironment, inBinDirectory } from "./engine-environment";
import { findCli, findPieces, type Found } from "./find";
import { withLock } from "../../scripts/lock.cjs";
import { type Piece, type PieceName, toldOf } from "./piece";
import { made, type Places, usualPlaces } from "./places";
import { SetUpError, withProgress } from "../../scripts/tool.cjs";
import { writeLauncher } from "../standins/launchers";

/** Everything that runs a Pulumi program of this project. */
export interface Engine {
  /** Absolute path of the CLI, always `<root>/bin/pulumi`, as `PulumiCommand.get({ root })` wants. */
  readonly pulumi: string;
  /** What a child's environment needs so that the CLI finds the other pieces and keeps quiet. */
  readonly env: Readonly<Record<string, string>>;
  readonly pieces: readonly Piece[];
}

/**
 * Finds each piece, or makes it: what is installed and fits, the official download, the CLI's Go
 * module, this project's stand-in. Quick and silent when all is there, but that it says what the user
 * has and it does not use.
 *
 * What was made stays: to try the official downloads again, remove `.engine`.
 *
 * @param report is told, in whole lines, what is done and how far it is
 * @throws {SetUpError} when there is no way to a CLI
 */
export async function obtainEngine(
  report: (line: string) => void,
  places: Places = usualPlaces(),
): Promise<Engine> {
  const { found, passedOver } = await findPieces(places);
  for (const piece of passedOver) report(toldOf(piece));
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
  // Another version of this project may have written them.
  for (const { origin, name, path } of Object.values(found)) {
    if (origin === "stand-in" || origin === "npm package") await launch(dirname(path), name);
  }
  return {
    pulumi: await inBinDirectory(places, found.cli.path),
    env: childEnvironment(places, found),
    pieces: Object.values(found),
  };
}

/** Called by one process at a time. */
async function makeMissing(places: Places, report: (line: string) => void): Promise<Whole> {
  await rm(made.unfinished(places), { recursive: true, force: true });
  // Another process may have made it while this one waited.
  let { found } = await findPieces(places);
  const [script, pluginIsThere] = await withProgress(
    report,
    () => "engine: looking for the official downloads",
    () =>
      Promise.all([
        found.cli && found.languageHost ? undefined : fetchInstallScript(places),
        found.postgresqlPlugin ? undefined : canDownloadPlugin(places),
      ]),
  );

  const downloaded = script !== undefined && (await downloadCli(places, script, report));
  if (!found.cli && !downloaded) await buildCli(places, report);
  const cli = await findCli(places);
  if (!cli)
    throw new SetUpError("The Pulumi CLI was made but does not run: remove .engine, try again");
  if (pluginIsThere) await downloadPostgresqlPlugin(places, cli.path, report);

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
