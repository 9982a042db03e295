// From a fresh clone to built JavaScript: the first two steps of every command of this project.

import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import lock from "./lock.cjs";
import tool from "./tool.cjs";

const { SetUpError, reasonOf, runTool, withProgress } = tool;

/** The root folder of the project. */
export const checkout = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * Installs what package-lock.json names and builds what has changed. Silent when there is nothing
 * to do; one process at a time.
 *
 * @param {(line: string) => void} report
 */
export function prepare(report) {
  return lock.withLock(
    join(checkout, ".engine"),
    "prepare",
    (pid) => report(`waiting for another set-up (process ${pid ?? "unknown"})`),
    async () => {
      if (!isInstalled()) {
        await withProgress(report, () => "[1/3] dependencies: installing with npm ci", install);
      }
      removeStaleOutput();
      await build(report);
    },
  );
}

/** Whether node_modules holds just what package-lock.json names, as npm's own record of it says. */
function isInstalled() {
  const record = join(checkout, "node_modules", ".package-lock.json");
  if (!existsSync(record)) return false;
  const wanted = packagesIn(join(checkout, "package-lock.json"));
  const present = packagesIn(record);
  const isSame = (path) =>
    wanted[path]?.version === present[path].version &&
    wanted[path]?.integrity === present[path].integrity;
  return (
    Object.keys(present).every(isSame) &&
    // Optional packages are those of other platforms.
    Object.keys(wanted).every((path) => path in present || wanted[path].optional)
  );
}

function packagesIn(lockFile) {
  const { packages } = JSON.parse(readFileSync(lockFile, "utf8"));
  // The entry of the project itself, which only package-lock.json has.
  delete packages[""];
  return packages;
}

/**
 * Runs `npm ci`. When the registry does not answer within five seconds, npm is told to use its cache
 * only: otherwise it would wait minutes for each package.
 */
async function install() {
  const ping = await npm(["ping", "--fetch-timeout=5000", "--fetch-retries=0"]);
  const unreachable = ping.ok ? undefined : networkError(ping);
  const source = unreachable ? "--offline" : "--fetch-retries=1";
  const run = await npm(["ci", "--no-audit", "--no-fund", "--no-update-notifier", source]);
  if (run.ok) return;
  const error = networkError(run) ?? unreachable;
  const output = run.output.filter((line) => !line.includes("A complete log of this run"));
  throw new SetUpError(
    error
      ? `The npm registry cannot be reached (${error}), and the dependencies come from it: ` +
          "check the network, or set the npm options `registry` or `proxy`"
      : `npm ci failed: ${reasonOf(output, checkout)}`,
  );
}

/** Runs npm: the one that started this process, if one did, else the one on the PATH. */
function npm(args) {
  const path = process.env.npm_execpath;
  const [command, ...first] = path ? [process.execPath, path] : ["npm"];
  return runTool(command, [...first, ...args], { cwd: checkout });
}

/** The code of a network error in npm's output, or undefined when the network was not the problem. */
function networkError({ output }) {
  const code = output.map((line) => /^npm err(?:or|!) code (\w+)/i.exec(line)?.[1]).find(Boolean);
  const codes = /^(FETCH_ERROR|ENOTFOUND|EAI_AGAIN|ECONN\w+|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)$/;
  return codes.test(code ?? "") ? code : undefined;
}

/** Removes the output of sources that were deleted. tsc leaves it, and jest would still run a deleted test. */
function removeStaleOutput() {
  const dist = join(checkout, "dist");
  if (!existsSync(dist)) return;
  for (const path of readdirSync(dist, { recursive: true })) {
    if (!/\.c?js$/.test(path)) continue;
    const output = join(dist, path);
    const source = join(checkout, path);
    if ([source, source.replace(/\.js$/, ".ts")].some((file) => existsSync(file))) continue;
    const types = output.replace(/\.(c?)js$/, ".d.$1ts");
    for (const file of [output, `${output}.map`, types]) rmSync(file, { force: true });
  }
}

async function build(report) {
  const tsc = join(checkout, "node_modules", "typescript", "bin", "tsc");
  const run = (args) => runTool(process.execPath, [tsc, "--build", ...args], { cwd: checkout });
  const { output } = await run(["--dry"]);
  if (output.some((line) => line.includes("is up to date"))) return;
  const { ok, output: errors } = await withProgress(
    report,
    () => "[2/3] build: compiling TypeScript",
    () => run([]),
  );
  if (ok) return;
  const space = reasonOf(errors, checkout);
  throw new SetUpError(
    space.startsWith("no space") ? space : `The build failed:\n${errors.join("\n")}`,
  );
}
