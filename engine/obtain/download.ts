import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { cliVersion } from "./find";
import { isExecutable, made, type Places, pluginDirectory } from "./places";
import { reasonOf } from "../../scripts/tool.cjs";
import { fits, requiredVersions } from "./piece";
import { getPage, runDownload } from "./transfer";

type Report = (line: string) => void;

/**
 * Installs the CLI with its language hosts by Pulumi's own script.
 *
 * `PulumiCommand.install` of the Automation API runs the same script, but gets it with Node's `fetch`,
 * which does not use the proxy that the environment names, and waits two minutes for an answer. Here curl
 * or wget gets it, which the script itself uses too, and which use that proxy.
 *
 * @param script of {@link fetchInstallScript}
 * @returns whether the CLI is in `.engine/download` now, and fits. If not, the reason was reported
 */
export async function downloadCli(
  places: Places,
  script: string,
  report: Report,
): Promise<boolean> {
  const what = `Pulumi CLI: downloading v${requiredVersions.cli}`;
  const root = join(made.unfinished(places), "download");
  const file = join(made.unfinished(places), "install.sh");
  await mkdir(made.unfinished(places), { recursive: true });
  await writeFile(file, script);
  const args = [file, "--no-edit-path", "--install-root", root, "--version", requiredVersions.cli];
  const run = await runDownload(places, what, report, "/bin/sh", args, {});
  const version = await cliVersion(join(root, "bin", "pulumi"), places);
  if (!run.ok || !version || !fits(version, requiredVersions.cli)) {
    report(`${what} did not work: ${reasonOf(run.output, places.engine)}`);
    return false;
  }
  await putInPlace(root, made.download(places));
  return true;
}

/** Pulumi's installation script; undefined when the site does not answer within five seconds. */
export async function fetchInstallScript(places: Places): Promise<string | undefined> {
  const url = "https://get.pulumi.com/install.sh";
  const run = await getPage(places, url, false);
  // The network's login page (a captive portal) is an answer too, but no script.
  return run.ok && run.text.startsWith("#!") ? run.text : undefined;
}

/**
 * Installs the postgresql plugin as Pulumi itself would, into `.engine/plugins`.
 *
 * @returns whether it is there now. If not, the reason was reported
 */
export async function downloadPostgresqlPlugin(
  places: Places,
  cli: string,
  report: Report,
): Promise<boolean> {
  const what = `postgresql plugin: downloading v${requiredVersions.postgresqlPlugin}`;
  const home = join(made.unfinished(places), "pulumi-home");
  const args = ["plugin", "install", "resource", "postgresql", requiredVersions.postgresqlPlugin];
  const run = await runDownload(places, what, report, cli, [...args, "--non-interactive"], {
    PULUMI_HOME: home,
    PULUMI_SKIP_UPDATE_CHECK: "true",
  });
  const directory = join(home, "plugins", pluginDirectory);
  if (!run.ok || !isExecutable(join(directory, "pulumi-resource-postgresql"))) {
    report(`${what} did not work: ${reasonOf(run.output, places.engine)}`);
    return false;
  }
  await putInPlace(directory, join(made.plugins(places), pluginDirectory));
  return true;
}

/** Whether one of the two sites that Pulumi takes the plugin from answers within five seconds. */
export async function canDownloadPlugin(places: Places): Promise<boolean> {
  const sites = [
    `https://api.github.com/repos/pulumi/pulumi-postgresql/releases/tags/v${requiredVersions.postgresqlPlugin}`,
    `https://get.pulumi.com/releases/plugins/${archiveName()}`,
  ];
  const runs = await Promise.all(sites.map((site) => getPage(places, site, true)));
  return runs.some((run) => run.ok);
}

function archiveName(): string {
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  return `pulumi-resource-postgresql-v${requiredVersions.postgresqlPlugin}-${process.platform}-${architecture}.tar.gz`;
}

async function putInPlace(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await rm(to, { recursive: true, force: true });
  await rename(from, to);
}
