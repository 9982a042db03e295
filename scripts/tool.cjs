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
 * Runs a tool to its end. A tool that cannot be started counts as failed, with the reason.
 *
 * It ends with this process, with all that it started, even when this process is killed: an
 * `npm ci` that went on alone would spoil the next one.
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
 * Becomes the tool, beside a guard that waits for the end of stdin, which is a pipe from us: it ends
 * when we close it or die. Then the guard kills the group, itself included.
 */
const GUARDED = `
exec 3<&0
{ read -r _ <&3; kill -KILL 0; } &
exec "$0" "$@" 3<&- </dev/null`;

/**
 * Why a tool failed, in one line, from what it said.
 *
 * @param {readonly string[]} output
 * @param {string} directory where it wrote to
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
 * Does `work` and says how it goes: `describe()` at once, and again with the seconds gone for as
 * long as it takes, so that nothing is silent for more than two seconds.
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
  }, 1900);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

module.exports = { SetUpError, reasonOf, runTool, withProgress };
