// @ts-check
"use strict";

// Plain JavaScript because bootstrap.mjs needs it before anything is built.

const { link, mkdir, readdir, rm } = require("node:fs/promises");
const { randomBytes } = require("node:crypto");
const net = require("node:net");
const { join, relative } = require("node:path");

/**
 * Takes the lock `name` in `directory`, or says who has it.
 *
 * The lock is a listening Unix socket, so it ends with its process however that ends, a reused
 * process id means nothing, and it holds between containers that share the directory. A file or a
 * `flock` would need Node to hold a kernel lock, which it cannot.
 *
 * Turns are numbered and the newest one rules. Its socket file stays behind on release: the next
 * turn takes the next number by link(2), which only one contender can, so nobody ever has to remove
 * a lock that another may just have renewed.
 *
 * @param {string} directory made when it is missing
 * @param {string} name of the lock in that directory
 * @returns {Promise<{ release: () => Promise<void> } | { heldBy: number | undefined }>} `heldBy` is
 *   the process id of the holder, or nothing when it did not say in time
 */
async function takeLock(directory, name) {
  await mkdir(directory, { recursive: true });
  for (;;) {
    const newest = Math.max(0, ...(await turns(directory, name)));
    const holder = newest > 0 ? await askHolder(turnPath(directory, name, newest)) : undefined;
    if (holder) return holder;

    const turn = newest + 1;
    const listener = await listen(join(directory, `${name}.${randomBytes(4).toString("hex")}.new`));
    try {
      await link(listener.path, turnPath(directory, name, turn));
    } catch (error) {
      await listener.close();
      const { code } = /** @type {NodeJS.ErrnoException} */ (error);
      // Taken by another contender, who may have cleared our file away too.
      if (code === "EEXIST" || code === "ENOENT") continue;
      throw error;
    }
    if (Math.max(...(await turns(directory, name))) === turn) {
      // Its first name has served: the socket is found by the number.
      await clearOthers(directory, name, turnPath(directory, name, turn));
      return { release: listener.close };
    }
    // We were so slow that this number had been used and cleared away before we took it.
    await listener.close();
    await rm(turnPath(directory, name, turn), { force: true });
  }
}

/**
 * Runs `work` while holding the lock, after waiting for whoever holds it now.
 *
 * @template T
 * @param {string} directory
 * @param {string} name
 * @param {(heldBy: number | undefined) => void} waiting is told once
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function withLock(directory, name, waiting, work) {
  let told = false;
  for (;;) {
    const lock = await takeLock(directory, name);
    if ("release" in lock) {
      try {
        return await work();
      } finally {
        await lock.release();
      }
    }
    if (!told) waiting(lock.heldBy);
    told = true;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/**
 * Removes what earlier turns and contenders that were killed left behind.
 *
 * @param {string} directory
 * @param {string} name
 * @param {string} keep
 */
async function clearOthers(directory, name, keep) {
  const paths = (await readdir(directory))
    .filter((file) => file.startsWith(`${name}.`) && /\.(lock|new)$/.test(file))
    .map((file) => join(directory, file));
  await Promise.all(paths.filter((p) => p !== keep).map((p) => rm(p, { force: true })));
}

/**
 * @param {string} directory
 * @param {string} name
 */
async function turns(directory, name) {
  const files = await readdir(directory);
  return files
    .filter((file) => file.startsWith(`${name}.`) && file.endsWith(".lock"))
    .map((file) => Number(file.slice(name.length + 1, -".lock".length)))
    .filter(Number.isSafeInteger);
}

/**
 * @param {string} directory
 * @param {string} name
 * @param {number} turn
 */
function turnPath(directory, name, turn) {
  return join(directory, `${name}.${turn}.lock`);
}

/**
 * A socket's path may hold about a hundred bytes (sun_path), so the shorter form is used.
 *
 * @param {string} path
 */
function socketPath(path) {
  const near = relative(process.cwd(), path);
  const shorter = near.length < path.length ? near : path;
  if (Buffer.byteLength(shorter) > 100) {
    throw new Error(`the path of a lock is too long for a socket: ${path}`);
  }
  return shorter;
}

/**
 * @param {string} path
 * @returns {Promise<{ path: string, close: () => Promise<void> }>}
 */
function listen(path) {
  return new Promise((resolve, reject) => {
    const server = net.createServer((asker) => {
      asker.on("error", () => asker.destroy());
      asker.end(String(process.pid));
    });
    server.once("error", reject);
    server.listen(socketPath(path), () => {
      // Holding a lock is no reason for a process to stay alive.
      server.unref();
      resolve({ path, close: () => new Promise((done) => server.close(() => done())) });
    });
  });
}

/**
 * @param {string} path
 * @returns {Promise<{ heldBy: number | undefined } | undefined>} nothing when nobody listens
 */
function askHolder(path) {
  return new Promise((resolve) => {
    let answer = "";
    const socket = net.connect(socketPath(path));
    const done = () => {
      socket.destroy();
      resolve({ heldBy: Number(answer) || undefined });
    };
    // The kernel accepts for a holder that is busy: held, though it cannot tell by whom.
    socket.setTimeout(1000, done);
    socket.on("data", (data) => (answer += data.toString()));
    socket.on("end", done);
    socket.on("error", (/** @type {NodeJS.ErrnoException} */ { code }) => {
      if (code === "ECONNREFUSED" || code === "ENOENT") resolve(undefined);
      else done();
    });
  });
}

module.exports = { takeLock, withLock };
