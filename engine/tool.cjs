// @ts-check
"use strict";

// Plain JavaScript because bootstrap.mjs needs it before anything is built.

const { spawn } = require("node:child_process");
const { constants } = require("node:os");
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
    const child = spawn(command, args, {
      env: environment,
      cwd,
      ...account,
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, so that it can be ended with its children.
      detached: true,
    });
    createInterface(child.stdout).on("line", keep);
    createInterface(child.stderr).on("line", keep);
    const end = () => endGroup(child);
    running.add(child);
    signal?.addEventListener("abort", end);
    const finish = (/** @type {boolean} */ ok) => {
      running.delete(child);
      signal?.removeEventListener("abort", end);
      resolve({ ok, output });
    };
    child.on("error", (error) => {
      keep(error.message);
      finish(false);
    });
    child.on("close", (code) => finish(code === 0));
  });
}

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
 * Tools that run now: they end with this process, unless it is killed.
 *
 * @type {Set<import("node:child_process").ChildProcess>}
 */
const running = new Set();
process.on("exit", () => running.forEach(endGroup));

/**
 * Kills a process that was started in a group of its own, with all that it started.
 *
 * @param {import("node:child_process").ChildProcess} child
 */
function endGroup(child) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended by itself in the meantime.
  }
}

/** Makes the signals that end a process end it by exit(), which takes its tools along. */
function exitOnSignals() {
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  }
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

module.exports = { SetUpError, endGroup, exitOnSignals, reasonOf, runTool, withProgress };
