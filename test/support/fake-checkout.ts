import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { checkout } from "../../engine/obtain/places";

/** How a command of the checkout ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real bootstrap in a small fake checkout, where npm, tsc, Jest and the service are scripts. */
export interface FakeCheckout {
  readonly root: string;
  write(path: string, text: string): void;
  /** Lines that the fake programs wrote into `log`. */
  log(): string[];
  start(args: readonly string[], variables?: NodeJS.ProcessEnv): ChildProcess;
  /** Starts it as the real npm does, by this project's own scripts. */
  startByNpm(word: string): ChildProcess;
  run(args: readonly string[], variables?: NodeJS.ProcessEnv): Promise<Ended>;
}

/** For every fake program: a line into `log`. */
const SAY = `const say = (line) =>
  require("fs").appendFileSync(process.env.FAKE_ROOT + "/log", line + "\\n");`;

export function makeFakeCheckout(): FakeCheckout {
  const root = mkdtempSync(join(tmpdir(), "fake-checkout-"));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const file of ["bootstrap.mjs", "prepare.mjs", "lock.cjs", "tool.cjs"]) {
    cpSync(join(checkout, "scripts", file), join(root, "scripts", file));
  }
  write("package-lock.json", lockFile("1.0.0"));
  cpSync(join(checkout, "package.json"), join(root, "package.json"));
  write("src/npm.js", `${SAY}\n${FAKE_NPM}`);
  write("src/tsc.js", `${SAY}\n${FAKE_TSC}`);
  write("dist/engine/obtain/obtain.js", FAKE_OBTAIN);
  write("engine/obtain/obtain.ts", "");
  write(
    "dist/service/config/embedded.js",
    `exports.embeddedEnvironment = async () => ({ FROM_DATABASE: "here" });`,
  );
  write("service/config/embedded.ts", "");
  const start = (args: readonly string[], variables: NodeJS.ProcessEnv = {}) =>
    spawn(process.execPath, [join(root, "scripts", "bootstrap.mjs"), ...args], {
      cwd: root,
      env: {
        PATH: process.env.PATH,
        FAKE_ROOT: root,
        npm_execpath: join(root, "src", "npm.js"),
        ...variables,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
  return {
    root,
    write,
    start,
    startByNpm: (word) =>
      spawn("npm", ["run", "--silent", word], {
        cwd: root,
        env: { PATH: process.env.PATH, HOME: process.env.HOME, FAKE_ROOT: root },
        stdio: ["ignore", "pipe", "pipe"],
      }),
    log: () =>
      existsSync(join(root, "log"))
        ? readFileSync(join(root, "log"), "utf8").trim().split("\n")
        : [],
    run: (args, variables) => ending(start(args, variables)),
  };
}

/** A package-lock.json with one package, of another platform a second one. */
export function lockFile(version: string): string {
  return JSON.stringify({
    packages: {
      "": { name: "fake" },
      "node_modules/typescript": { version, integrity: `sha512-${version}` },
      "node_modules/for-mars": { version: "1.0.0", optional: true },
    },
  });
}

export async function ending(child: ChildProcess): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (data: Buffer) => (stdout += data.toString()));
  child.stderr?.on("data", (data: Buffer) => (stderr += data.toString()));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout, stderr };
}

/** `npm ci`: installs the fake tsc and Jest, and keeps npm's record of it, last as npm does. */
const FAKE_NPM = `
const fs = require("fs");
if (process.argv[2] === "ping") {
  if (process.env.PING_FAULT) { console.error(process.env.PING_FAULT); process.exit(1); }
  process.exit();
}
say("npm ci" + (process.argv.includes("--offline") ? " offline" : ""));
if (process.env.NPM_FAULT) { console.error(process.env.NPM_FAULT); process.exit(1); }
fs.rmSync("node_modules", { recursive: true, force: true });
fs.mkdirSync("node_modules/typescript/bin", { recursive: true });
fs.mkdirSync("node_modules/jest/bin", { recursive: true });
fs.copyFileSync("src/tsc.js", "node_modules/typescript/bin/tsc");
fs.writeFileSync("node_modules/jest/bin/jest.js", "console.log('jest', ...process.argv.slice(2))");
setTimeout(() => {
  const lock = JSON.parse(fs.readFileSync("package-lock.json", "utf8"));
  delete lock.packages[""];
  delete lock.packages["node_modules/for-mars"];
  fs.writeFileSync("node_modules/.package-lock.json", JSON.stringify(lock));
  say("npm done");
}, Number(process.env.NPM_MS || 0));`;

/** \`tsc --build\`: compiles when there is a file "changed", and fails when it holds a fault. */
const FAKE_TSC = `
const fs = require("fs");
const changed = fs.existsSync("changed");
if (process.argv.includes("--dry")) {
  console.log(changed ? "would build" : "Project is up to date");
  process.exit();
}
say("tsc");
const fault = fs.readFileSync("changed", "utf8");
if (fault) { console.log(fault); process.exit(1); }
fs.rmSync("changed");`;

const FAKE_OBTAIN = `exports.obtainEngine = async (report) => {
  report("engine: made");
  return { pulumi: "/bin/sh", env: { FROM_ENGINE: "yes" } };
};`;
