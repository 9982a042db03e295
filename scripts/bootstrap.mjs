// What `npm start`, `npm test` and `npm run doctor|token|pulumi|bench|soak` call: it brings a fresh clone
// to the point where the wanted program runs, then runs it. Plain JavaScript without dependencies: when it
// starts, nothing is installed and nothing is built.

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

if (Number(process.versions.node.split(".")[0]) < 20) {
  fail(`Node 20 or newer is needed, this is ${process.version}: see https://nodejs.org`);
}
const { checkout, prepare } = await import("./prepare.mjs");
const built = (path) => join(checkout, "dist", path);

/** What each word does once everything is built. Only the first two may talk on stdout. */
const words = {
  start: { talk: process.stdout, run: startService },
  test: { talk: process.stdout, run: runTests },
  doctor: {
    talk: process.stderr,
    run: (args) => runNode([built("engine/doctor/main.js"), ...args]),
  },
  token: { talk: process.stderr, run: (args) => runNode([built("service/token.js"), ...args]) },
  pulumi: { talk: process.stderr, run: runPulumi },
  bench: { talk: process.stderr, run: (args) => runNode([built("bench/main.js"), ...args]) },
  soak: { talk: process.stderr, run: (args) => runNode([built("test/soak/main.js"), ...args]) },
};

const [word, ...args] = process.argv.slice(2);
if (!Object.hasOwn(words, word ?? "")) {
  fail(`usage: node scripts/bootstrap.mjs ${Object.keys(words).join("|")} [arguments]`);
}
const { talk, run } = words[word];
/** The npm that runs this word. Its scripts begin with `exec`, so no shell stands between. */
const npm = process.env.npm_lifecycle_event === word ? process.ppid : undefined;
try {
  await prepare((line) => talk.write(`${line}\n`));
  await run(args);
} catch (error) {
  // A failure that names itself needs no stack; what nobody foresaw does.
  fail(error.name in globalThis ? error.stack : error.message);
}

/**
 * The service in a session of its own: a Ctrl-C in the terminal goes to npm, to this process and to
 * everything in their group at once, and the service must hear it just once, to finish what runs.
 * When this process is killed, the service sees its IPC channel close and stops by itself.
 */
function startService(args) {
  const service = spawn(process.execPath, [built("service/main.js"), ...args], {
    cwd: checkout,
    detached: true,
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  const last = {};
  exitWith(service, (signal) => {
    // The terminal's signal and npm's copy of it come together; a second Ctrl-C takes longer.
    const again = performance.now() - (last[signal] ?? -Infinity) < 300;
    last[signal] = performance.now();
    if (!again) service.kill(signal);
  });
}

async function runTests(args) {
  await obtainEngine("[3/3] ");
  const jest = join(checkout, "node_modules", "jest", "bin", "jest.js");
  runNode(["--experimental-vm-modules", jest, ...args]);
}

async function runPulumi(args) {
  const engine = await obtainEngine("[3/3] ");
  // npm goes to the project's root; the user may have been in a stack's directory.
  const cwd = process.env.INIT_CWD ?? process.cwd();
  const { embeddedEnvironment } = await import(pathToFileURL(built("service/config/embedded.js")));
  const env = { ...process.env, ...(await embeddedEnvironment(process.env)), ...engine.env };
  runHere(engine.pulumi, args, { cwd, env });
}

async function obtainEngine(step) {
  const { obtainEngine } = await import(pathToFileURL(built("engine/obtain/obtain.js")));
  return obtainEngine((line) => talk.write(`${step}${line}\n`));
}

function runNode(args) {
  runHere(process.execPath, args, { cwd: checkout });
}

/** In the foreground of the terminal, whose Ctrl-C the child gets by itself. */
function runHere(command, args, options) {
  const child = spawn(command, args, { ...options, stdio: "inherit" });
  exitWith(child, (signal) => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  });
}

/** Ends this process as the child ends, and tells the child of the signals that come before. */
function exitWith(child, onSignal) {
  const watch = onceNpmIsGone(() => onSignal("SIGTERM"));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      // Who signals the whole group ends npm too. That is no second signal.
      clearInterval(watch);
      onSignal(signal);
    });
  }
  child.on("error", (error) => fail(error.message));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

/**
 * npm passes SIGTERM and SIGINT on, and waits. What ends npm otherwise, SIGKILL or SIGHUP, reaches nobody
 * else: then this process has another parent.
 */
function onceNpmIsGone(then) {
  if (npm === undefined) return undefined;
  const watch = setInterval(() => {
    if (process.ppid === npm) return;
    clearInterval(watch);
    then();
  }, 500);
  return watch;
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
