// @ts-check
"use strict";

// Plain JavaScript because bootstrap.mjs needs it before anything is built.

const { link, mkdir, readdir, rm } = require("node:fs/promises");
const { randomBytes } = require("node:crypto");
const net = require("node:net");
const { join, relative } = require("node:path");

/** How long the holder of a lock may take to say its process id. */
const ANSWER_TIMEOUT_MS = 1_000;

/**
 * Takes the lock `name` in `directory`, or returns who holds it.
 *
 * The lock is a Unix socket on which its holder listens. So it ends with the holder's process, however
 * that ends; it does not depend on process ids, which are used again; and it works between containers
 * that share the directory. A plain lock file would outlive a holder that is killed, and Node cannot call
 * `flock`.
 *
 * Each holder's socket has a number, one higher than the last, and only the socket with the highest
 * number counts. The file of a released lock stays. To take the lock, a process checks that nobody listens
 * on the highest number, and gives its own socket the next number by link(2), which fails for all but one.
 * If the released file were removed and made anew instead, a slow process could remove the one that
 * another has just made.
 *
 * @param {string} directory made when it is missing
 * @param {string} name of the lock in that directory
 * @returns {Promise<{ release: () => Promise<void> } | { heldBy: number | undefined }>} `heldBy` is
 *   the process id of the holder, or undefined when it did not answer within a second
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
      // Another process has taken the number, and may have removed our file too (`clearOthers`).
      if (code === "EEXIST" || code === "ENOENT") continue;
      throw error;
    }
    if (Math.max(...(await turns(directory, name))) === turn) {
      // The socket is found by its number now, so its first name goes as well.
      await clearOthers(directory, name, turnPath(directory, name, turn));
      return { release: listener.close };
    }
    // Others have taken this number and higher ones, and removed the file of this one, before we linked.
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
 * @param {(heldBy: number | undefined) => void} onWait is called once, if the lock is held by another
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function withLock(directory, name, onWait, work) {
  let notified = false;
  for (;;) {
    const lock = await takeLock(directory, name);
    if ("release" in lock) {
      try {
        return await work();
      } finally {
        await lock.release();
      }
    }
    if (!notified) onWait(lock.heldBy);
    notified = true;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/**
 * Removes the sockets of earlier holders, and of processes that were killed while they tried.
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
 * The path in its shorter form, absolute or relative: the kernel takes about a hundred bytes (`sun_path`).
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
 * @returns {Promise<{ heldBy: number | undefined } | undefined>} undefined when nobody listens
 */
function askHolder(path) {
  return new Promise((resolve) => {
    let answer = "";
    const socket = net.connect(socketPath(path));
    const done = () => {
      socket.destroy();
      resolve({ heldBy: Number(answer) || undefined });
    };
    // The kernel accepts connections for a holder that is too busy to answer. So the lock is held, but
    // by whom is not known.
    socket.setTimeout(ANSWER_TIMEOUT_MS, done);
    socket.on("data", (data) => (answer += data.toString()));
    socket.on("end", done);
    socket.on("error", (/** @type {NodeJS.ErrnoException} */ { code }) => {
      if (code === "ECONNREFUSED" || code === "ENOENT") resolve(undefined);
      else done();
    });
  });
}

module.exports = { takeLock, withLock };
