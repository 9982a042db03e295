// What `npm start`, `npm test`, `npm pack` and `npm run doctor|token|hash-password|import|fleet|openapi|pulumi|bench|soak|
// mutation` call: it brings a fresh clone to the point where the wanted program runs, then runs it. Plain JavaScript
// without dependencies: when it starts, nothing is installed and nothing is built.

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

if (Number(process.versions.node.split(".")[0]) < 20) {
  fail(`Node 20 or newer is needed, this is ${process.version}: see https://nodejs.org`);
}
const { checkout, prepare } = await import("./prepare.mjs");
const built = (path) => join(checkout, "dist", path);

/**
 * The commands, and what each does once everything is built. Progress goes to stderr, but for the first two:
 * the stdout of the others may be read by a program.
 */
const commands = {
  start: {
    progress: process.stdout,
    run: (args) => runDetached(built("service/main.js"), args),
  },
  test: { progress: process.stdout, run: runTests },
  doctor: {
    progress: process.stderr,
    run: (args) => runNode([built("engine/doctor/main.js"), ...args]),
  },
  token: { progress: process.stderr, run: (args) => runNode([built("service/token.js"), ...args]) },
  "hash-password": {
    progress: process.stderr,
    run: (args) => runNode([built("service/hash-password.js"), ...args]),
  },
  pulumi: { progress: process.stderr, run: runPulumi },
  import: {
    progress: process.stderr,
    run: (args) => runNode([built("service/import.js"), ...args]),
  },
  fleet: { progress: process.stderr, run: runFleet },
  openapi: {
    progress: process.stderr,
    run: (args) => runNode([built("service/openapi.js"), ...args]),
  },
  bench: { progress: process.stderr, run: (args) => runNode([built("bench/main.js"), ...args]) },
  soak: { progress: process.stderr, run: (args) => runNode([built("test/soak/main.js"), ...args]) },
  mutation: { progress: process.stderr, run: runMutation },
  // npm calls it before it packs: what is packed is built already then.
  prepack: { progress: process.stderr, run: () => undefined },
};

const [command, ...args] = process.argv.slice(2);
if (!Object.hasOwn(commands, command ?? "")) {
  fail(`usage: node scripts/bootstrap.mjs ${Object.keys(commands).join("|")} [arguments]`);
}
const { progress, run } = commands[command];
/**
 * The process id of the npm that runs this command, if one does. The scripts of package.json begin with
 * `exec`, so there is no shell between npm and this process.
 */
const npm = process.env.npm_lifecycle_event === command ? process.ppid : undefined;
try {
  await prepare((line) => progress.write(`${line}\n`));
  await run(args);
} catch (error) {
  // An error of a class of our own has a message for the user. One of JavaScript's own classes is a bug,
  // and is shown with its stack.
  fail(error.name in globalThis ? error.stack : error.message);
}

/**
 * Starts a program in a session of its own. A Ctrl-C in the terminal goes to every process of the
 * terminal's group, and npm sends it to this process once more. The program takes the first for "finish
 * what runs" and a second for "stop now", so it must get just one: from here. When this process is
 * killed, the program sees its IPC channel close and stops by itself.
 */
function runDetached(program, args, options = {}) {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: checkout,
    detached: true,
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    ...options,
  });
  const last = {};
  exitWith(child, (signal) => {
    // The terminal's signal and npm's copy of it come within milliseconds; a person's second Ctrl-C
    // comes later than this.
    const again = performance.now() - (last[signal] ?? -Infinity) < 300;
    last[signal] = performance.now();
    if (!again) child.kill(signal);
  });
}

async function runTests(args) {
  await obtainEngine("[3/3] ");
  const jest = join(checkout, "node_modules", "jest", "bin", "jest.js");
  runNode(["--experimental-vm-modules", jest, ...args]);
}

async function runMutation(args) {
  await obtainEngine("[3/3] ");
  runNode([built("test/mutation/main.js"), ...args]);
}

async function runPulumi(args) {
  const engine = await obtainEngine("[3/3] ");
  // npm changes to the project's root first. INIT_CWD is the folder in which the user called it.
  const cwd = process.env.INIT_CWD ?? process.cwd();
  const env = { ...process.env, ...(await embedded()), ...engine.env };
  runHere(engine.pulumi, args, { cwd, env });
}

/**
 * Without DATABASE_URL the tenants are those of the embedded database, and their tables this package's own.
 * Like the service, it has a session of its own, so that a Ctrl-C does not end the migrations that run.
 */
async function runFleet(args) {
  const { DATABASE_URL } = await embedded();
  const migrations = DATABASE_URL && {
    TENANT_MIGRATIONS_DIR: join(checkout, "migrations", "tenant"),
  };
  const env = { ...migrations, ...process.env, ...(DATABASE_URL && { DATABASE_URL }) };
  runDetached(built("fleet/main.js"), args, { env });
}

async function embedded() {
  const { embeddedEnvironment } = await import(pathToFileURL(built("service/config/embedded.js")));
  return embeddedEnvironment(process.env);
}

async function obtainEngine(step) {
  const { obtainEngine } = await import(pathToFileURL(built("engine/obtain/obtain.js")));
  return obtainEngine((line) => progress.write(`${step}${line}\n`));
}

function runNode(args) {
  runHere(process.execPath, args, { cwd: checkout });
}

/** Runs a program in the foreground of the terminal, so that the terminal sends it a Ctrl-C itself. */
function runHere(command, args, options) {
  const child = spawn(command, args, { ...options, stdio: "inherit" });
  exitWith(child, (signal) => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  });
}

/** Ends this process with the exit code of the child. Until then `onSignal` gets the signals that arrive. */
function exitWith(child, onSignal) {
  const watch = onceNpmIsGone(() => onSignal("SIGTERM"));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      // A signal to the whole process group ends npm too. Without this, the end of npm would be taken
      // for a second signal.
      clearInterval(watch);
      onSignal(signal);
    });
  }
  child.on("error", (error) => fail(error.message));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

/**
 * Calls `then` when npm has ended. npm passes SIGTERM and SIGINT on to this process and waits for it. When
 * SIGKILL or SIGHUP ends npm, this process gets no signal, but another parent.
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
