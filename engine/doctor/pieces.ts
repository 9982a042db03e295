import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { childEnvironment } from "../obtain/child-environment";
import { findPieces, type Found } from "../obtain/find";
import { type Piece, type PieceName, describeRejected } from "../obtain/piece";
import { checkout, type Places } from "../obtain/places";
import { keepProviders } from "../providers/kept-providers";
import { askPlugin } from "../system/plugin-client";
import { reasonOf, runTool } from "../../scripts/tool.cjs";
import { type Finding, finding } from "./finding";

/** Looks for the pieces of the engine and tries those that are there. It makes none. */
export async function tryPieces(places: Places): Promise<readonly Finding[]> {
  const { found, rejected } = await findPieces(places);
  const environment = { ...places.environment, ...childEnvironment(places, found) };
  const preview = once(() => previewProgram(found, environment));
  const findings = await Promise.all([
    tryPiece("Pulumi CLI", found.cli, () => preview()),
    tryPiece("Node language host", found.languageHost, () => preview()),
    tryPiece("postgresql plugin", found.postgresqlPlugin, ({ path }) =>
      askPlugin(path, "ResourceProvider", { environment }),
    ),
    tryPiece("dynamic provider", found.dynamicProvider, ({ path }) =>
      // Its program does not start without the address of an engine, and calls it only to log.
      askPlugin(path, "ResourceProvider", { environment, args: ["127.0.0.1:1"] }),
    ),
    ...tryKeptProviders(found, environment),
  ]);
  return findings.map((finding) => ({
    ...finding,
    notUsed: rejected.filter(({ name }) => name === finding.piece).map(describeRejected),
  }));
}

/** Tries both providers as the service runs them: started by themselves, then attached to. */
function tryKeptProviders(
  { postgresqlPlugin, dynamicProvider }: Found,
  env: NodeJS.ProcessEnv,
): Promise<Finding>[] {
  if (!postgresqlPlugin || !dynamicProvider) return [];
  const { version, origin } = postgresqlPlugin;
  const known = { piece: "kept providers", version, origin };
  const pieces = [postgresqlPlugin, dynamicProvider];
  const trial = finding(known, "Set-ups over HTTP work without them, more slowly", async () => {
    const kept = keepProviders({
      ...{ engine: { pieces }, cwd: checkout, code: [], report: () => undefined },
      env: { postgresql: env, "pulumi-nodejs": env },
    });
    try {
      // Longer than a provider may take to start (15 s), so that its problem is known by then.
      await kept.lease(60_000);
      const problem = kept.trouble();
      if (problem !== undefined) throw new Error(problem);
      return {};
    } finally {
      await kept.stop();
    }
  });
  return [trial];
}

function tryPiece(
  piece: PieceName,
  found: Piece | undefined,
  trial: (piece: Piece) => Promise<unknown>,
): Promise<Finding> {
  if (!found) {
    return Promise.resolve({
      piece,
      problem: "It is not there. Run `npm start` or `npm test`: both find it or make it",
    });
  }
  const known = { piece, version: found.version, origin: found.origin };
  return finding(known, "Remove .engine and run `npm start` to make it again", async () => {
    await trial(found);
    return {};
  });
}

/**
 * A real `pulumi preview` of a program that declares nothing: the CLI starts the language host, which
 * runs the program.
 */
async function previewProgram({ cli }: Found, environment: NodeJS.ProcessEnv): Promise<void> {
  if (!cli) throw new Error("There is no CLI to try it with");
  const directory = await mkdtemp(join(tmpdir(), "pulumi-tenant-doctor-"));
  const pulumi = (...args: string[]) =>
    runTool(cli.path, [...args, "--non-interactive"], {
      cwd: directory,
      environment: {
        ...environment,
        PULUMI_BACKEND_URL: pathToFileURL(directory).href,
        PULUMI_CONFIG_PASSPHRASE: "there is no secret in it",
      },
    });
  try {
    const files = {
      "Pulumi.yaml": "name: doctor\nruntime: { name: nodejs, options: { typescript: false } }\n",
      "package.json": '{ "main": "index.js" }\n',
      "index.js": 'require("@pulumi/pulumi").log.info("it ran");\n',
    };
    await symlink(join(checkout, "node_modules"), join(directory, "node_modules"));
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    for (const run of [["stack", "init", "doctor"], ["preview"]]) {
      const { ok, output } = await pulumi(...run);
      if (!ok || (run[0] === "preview" && !output.some((line) => line.includes("it ran")))) {
        throw new Error(`\`pulumi ${run.join(" ")}\` failed: ${reasonOf(output, directory)}`);
      }
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Does the work at the first call only: one preview tries two pieces, the CLI and the language host. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= work());
}
