import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

import { digestOf, pinnedDigest } from "./checksums";
import { cliVersion } from "./find";
import { isExecutable, made, type Places, pluginDirectory } from "./places";
import { reasonOf, runTool } from "../../scripts/tool.cjs";
import { fits, requiredVersions } from "./piece";
import { toolEnvironment } from "./tool-environment";
import { answers, download } from "./transfer";

type Report = (line: string) => void;

/** An official archive, whose SHA-256 is known. */
export interface Archive {
  /** What it brings, for reports. */
  readonly what: string;
  readonly name: string;
  readonly url: string;
  readonly sha256: string;
}

/**
 * Finds out whether the CLI's archive may be downloaded, and can be: whether its digest is pinned, and the site
 * answers within five seconds. It says so when the digest is not.
 */
export function findCliArchive(places: Places, report: Report): Promise<Archive | undefined> {
  const { cli } = requiredVersions;
  const name = `pulumi-v${cli}-${process.platform}-${process.arch}.tar.gz`;
  return find(places, `Pulumi CLI v${cli}`, "sdk", name, report);
}

/** As {@link findCliArchive}, for the postgresql plugin. */
export function findPluginArchive(places: Places, report: Report): Promise<Archive | undefined> {
  const { postgresqlPlugin } = requiredVersions;
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const name = `pulumi-resource-postgresql-v${postgresqlPlugin}-${process.platform}-${architecture}.tar.gz`;
  return find(places, `postgresql plugin v${postgresqlPlugin}`, "plugins", name, report);
}

/**
 * Installs the CLI with its language hosts.
 *
 * Not by Pulumi's installation script, which `PulumiCommand.install` of the Automation API runs too: it
 * would have to be trusted as it comes, and compares what it downloads with nothing.
 *
 * @returns whether the CLI is in `.engine/download` now, and fits. If not, the reason was reported
 */
export async function downloadCli(
  places: Places,
  archive: Archive,
  report: Report,
): Promise<boolean> {
  const root = join(made.unfinished(places), "download");
  // All that is in the archive is in its folder `pulumi`.
  if (!(await unpacked(places, archive, join(root, "bin"), ["--strip-components=1"], report))) {
    return false;
  }
  const version = await cliVersion(join(root, "bin", "pulumi"), places);
  if (!version || !fits(version, requiredVersions.cli)) {
    report(`${archive.what}: the download does not run here`);
    return false;
  }
  await putInPlace(root, made.download(places));
  return true;
}

/**
 * Installs the postgresql plugin, into `.engine/plugins`.
 *
 * @returns whether it is there now. If not, the reason was reported
 */
export async function downloadPostgresqlPlugin(
  places: Places,
  archive: Archive,
  report: Report,
): Promise<boolean> {
  const directory = join(made.unfinished(places), pluginDirectory);
  if (!(await unpacked(places, archive, directory, [], report))) return false;
  if (!isExecutable(join(directory, "pulumi-resource-postgresql"))) {
    report(`${archive.what}: the download has no plugin in it`);
    return false;
  }
  await putInPlace(directory, join(made.plugins(places), pluginDirectory));
  return true;
}

async function find(
  places: Places,
  what: string,
  folder: string,
  name: string,
  report: Report,
): Promise<Archive | undefined> {
  const sha256 = pinnedDigest(places, name);
  if (sha256 === undefined) {
    report(
      `${what}: not downloaded, because the SHA-256 of ${name} is not known: add its line to ` +
        "engine/obtain/checksums.txt, or to a file that ENGINE_CHECKSUMS names",
    );
    return undefined;
  }
  const url = `https://get.pulumi.com/releases/${folder}/${name}`;
  return (await answers(places, url)) ? { what, name, url, sha256 } : undefined;
}

/** Downloads an archive, compares it, and only then unpacks it. Whether it did; if not, the reason was reported. */
async function unpacked(
  places: Places,
  { what, name, url, sha256 }: Archive,
  directory: string,
  options: readonly string[],
  report: Report,
): Promise<boolean> {
  const file = join(made.unfinished(places), name);
  const run = await download(places, `${what}: downloading`, report, url, file);
  if (!run.ok) {
    report(`${what}: the download did not work: ${reasonOf(run.output, places.engine)}`);
    return false;
  }
  const found = await digestOf(file);
  if (found !== sha256) {
    report(
      `${what}: REFUSED, nothing of it is run: the SHA-256 of ${url} is ${found}, and ${sha256} is pinned. Look ` +
        "up which of them the release names: if the first, correct its line in engine/obtain/checksums.txt, or in " +
        "the file that ENGINE_CHECKSUMS names; if not, what you download was changed on the way",
    );
    return false;
  }
  await mkdir(directory, { recursive: true });
  const tar = await runTool("tar", ["-xzf", file, "-C", directory, ...options], {
    environment: toolEnvironment(places),
  });
  if (!tar.ok) report(`${what}: cannot be unpacked: ${reasonOf(tar.output, places.engine)}`);
  return tar.ok;
}

async function putInPlace(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await rm(to, { recursive: true, force: true });
  await rename(from, to);
}
