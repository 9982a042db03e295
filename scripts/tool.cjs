// @ts-check
"use strict";

// Plain JavaScript because bootstrap.mjs needs it before anything is built.

const { spawn } = require("node:child_process");
const { createInterface } = require("node:readline");

/** Set-up cannot go on. The message is one line: what is wrong, and what to do about it. */
class SetUpError extends Error {
  /** @override */
  name = "SetUpError";
}

/** How often `withProgress` reports. */
const PROGRESS_INTERVAL_MS = 1_900;

/**
 * How a tool ended: `output` holds the last lines of both streams, at most a hundred.
 *
 * @typedef {{ readonly ok: boolean, readonly output: readonly string[] }} ToolRun
 */

/**
 * - `environment`: the whole environment of the tool, else that of this process
 * - `account`: another account of the system to run as; needs root
 * - `signal`: ends the tool and everything that it started
 *
 * @typedef {{
 *   readonly environment?: NodeJS.ProcessEnv,
 *   readonly cwd?: string,
 *   readonly account?: { readonly uid: number, readonly gid: number } | undefined,
 *   readonly onLine?: (line: string) => void,
 *   readonly signal?: AbortSignal,
 * }} ToolOptions
 */

/**
 * Runs a tool to its end. A tool that cannot be started is returned as failed; the output says why.
 *
 * When this process ends, even by SIGKILL, the tool and all that it started end too. An `npm ci` that
 * went on alone would write into node_modules while the next one does.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {ToolOptions} [options]
 * @returns {Promise<ToolRun>}
 */
function runTool(command, args, { environment, cwd, account, onLine, signal } = {}) {
  /** @type {string[]} */
  const output = [];
  const keep = (/** @type {string} */ line) => {
    output.push(line);
    if (output.length > 100) output.shift();
    onLine?.(line);
  };
  return new Promise((resolve) => {
    const child = spawn("/bin/sh", ["-c", GUARDED, command, ...args], {
      env: environment,
      cwd,
      ...account,
      stdio: "pipe",
      // A group of its own, so that it can be ended with its children.
      detached: true,
    });
    createInterface(child.stdout).on("line", keep);
    createInterface(child.stderr).on("line", keep);
    const end = () => child.stdin.destroy();
    signal?.addEventListener("abort", end);
    /** @type {number | null} */
    let exitCode = null;
    child.on("exit", (code) => {
      exitCode = code;
      end();
    });
    child.on("error", (error) => keep(error.message));
    child.on("close", () => {
      signal?.removeEventListener("abort", end);
      resolve({ ok: exitCode === 0, output });
    });
  });
}

/**
 * A shell script that starts a guard in the background and then becomes the tool. The guard reads the
 * script's stdin, a pipe from this process, which ends when this process closes it or ends itself. Then
 * the guard kills the whole process group, itself included.
 */
const GUARDED = `
exec 3<&0
{ read -r _ <&3; kill -KILL 0; } &
exec "$0" "$@" 3<&- </dev/null`;

/**
 * Why a tool failed, in one line: a line of its output.
 *
 * @param {readonly string[]} output
 * @param {string} directory where it writes to, for the message when its disk is full
 * @returns {string}
 */
function reasonOf(output, directory) {
  if (output.some((line) => /no space left on device|ENOSPC/i.test(line))) {
    return `no space is left on the disk that holds ${directory}`;
  }
  const said = output.map((line) => line.trim()).filter((line) => line !== "");
  return (
    said.findLast((line) => /\b(error|fatal)\b/i.test(line)) ?? said.at(-1) ?? "no reason given"
  );
}

/**
 * Does `work` and reports `describe()` at once, and then about every two seconds with the time that has
 * passed, so that the user sees that it goes on.
 *
 * @template T
 * @param {(line: string) => void} report
 * @param {() => string} describe
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function withProgress(report, describe, work) {
  const began = performance.now();
  report(describe());
  const timer = setInterval(() => {
    report(`${describe()}, ${Math.round((performance.now() - began) / 1000)} s`);
  }, PROGRESS_INTERVAL_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

module.exports = { SetUpError, reasonOf, runTool, withProgress };
