import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { cliVersion } from "./find";
import { isExecutable, made, onPath, type Places, pluginDirectory } from "./places";
import { reasonOf, runTool, type ToolRun, withProgress } from "../../scripts/tool.cjs";
import { fits, requiredVersions } from "./piece";

type Report = (line: string) => void;

/** After this many ms without an answer a site counts as not to be had. */
const ANSWER = 5000;
/** After this many ms without another byte a download counts as dead. */
const STALL = 30_000;

/**
 * Installs the CLI with its language hosts by Pulumi's own script.
 *
 * `PulumiCommand.install` of the Automation API runs the same script in the same way, but gets it
 * with Node's `fetch`, which does not go through a proxy named in the environment, and waits
 * two minutes for it. curl and wget, which the script itself uses, do go through one.
 *
 * @param script of {@link fetchInstallScript}
 * @returns whether the CLI is now in `.engine/download` and fits; if not, why was reported
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
  const run = await download(places, what, report, "/bin/sh", args, {});
  const version = await cliVersion(join(root, "bin", "pulumi"), places);
  if (!run.ok || !version || !fits(version, requiredVersions.cli)) {
    report(`${what} did not work: ${reasonOf(run.output, places.engine)}`);
    return false;
  }
  await putInPlace(root, made.download(places));
  return true;
}

/** Pulumi's installation script, or nothing when it is not to be had within five seconds. */
export async function fetchInstallScript(places: Places): Promise<string | undefined> {
  const url = "https://get.pulumi.com/install.sh";
  const run = await get(places, url, false);
  // A captive portal's page is an answer too, but no script.
  return run.ok && run.text.startsWith("#!") ? run.text : undefined;
}

/**
 * Installs the postgresql plugin as Pulumi itself would, into `.engine/plugins`.
 *
 * @returns whether it is there now; if not, why was reported
 */
export async function downloadPostgresqlPlugin(
  places: Places,
  cli: string,
  report: Report,
): Promise<boolean> {
  const what = `postgresql plugin: downloading v${requiredVersions.postgresqlPlugin}`;
  const home = join(made.unfinished(places), "pulumi-home");
  const args = ["plugin", "install", "resource", "postgresql", requiredVersions.postgresqlPlugin];
  const run = await download(places, what, report, cli, [...args, "--non-interactive"], {
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
  const runs = await Promise.all(sites.map((site) => get(places, site, true)));
  return runs.some((run) => run.ok);
}

function archiveName(): string {
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  return `pulumi-resource-postgresql-v${requiredVersions.postgresqlPlugin}-${process.platform}-${architecture}.tar.gz`;
}

/** Gets a page, or only its head, with the tools that the installation script uses too. */
async function get(
  { environment }: Places,
  url: string,
  headOnly: boolean,
): Promise<{ ok: boolean; text: string }> {
  const seconds = String(ANSWER / 1000);
  const [curl] = onPath("curl", environment.PATH);
  const [wget] = onPath("wget", environment.PATH);
  const command = curl ?? wget;
  if (command === undefined) return { ok: false, text: "" };
  const args = curl
    ? ["-fsSL", "--max-time", seconds, ...(headOnly ? ["--head"] : []), url]
    : ["-q", "--tries=1", `--timeout=${seconds}`, headOnly ? "--spider" : "-O-", url];
  const lines: string[] = [];
  const { ok } = await runTool(command, args, {
    environment,
    onLine: (line) => lines.push(line),
    // wget's limit is for each step of the way; this one is for all.
    signal: AbortSignal.timeout(ANSWER),
  });
  return { ok, text: lines.join("\n") };
}

/** Runs a tool that downloads, and ends it when nothing more arrives. */
async function download(
  places: Places,
  what: string,
  report: Report,
  command: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<ToolRun> {
  const temporary = join(made.unfinished(places), "temporary");
  await mkdir(temporary, { recursive: true });
  const stalled = new AbortController();
  let size = 0;
  let grewAt = Date.now();
  const watch = setInterval(() => {
    void sizeOf(made.unfinished(places)).then((now) => {
      if (now !== size) grewAt = Date.now();
      size = now;
      if (Date.now() - grewAt > STALL) stalled.abort();
    });
  }, 1000);
  try {
    const run = await withProgress(
      report,
      () => `${what}, ${Math.round(size / 1e6)} MB`,
      () =>
        runTool(command, args, {
          environment: { ...places.environment, ...variables, TMPDIR: temporary },
          signal: stalled.signal,
        }),
    );
    return stalled.signal.aborted
      ? { ok: false, output: [`nothing arrived for ${STALL / 1000} seconds`] }
      : run;
  } finally {
    clearInterval(watch);
  }
}

/** The bytes below a directory; what vanishes meanwhile does not count. */
async function sizeOf(directory: string): Promise<number> {
  const files = await readdir(directory, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    files.map((file) =>
      stat(join(directory, file)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function putInPlace(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await rm(to, { recursive: true, force: true });
  await rename(from, to);
}
