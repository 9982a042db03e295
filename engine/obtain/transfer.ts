import { mkdir, readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { made, onPath, type Places } from "./places";
import { toolEnvironment } from "./tool-environment";
import { runTool, type ToolRun, withProgress } from "../../scripts/tool.cjs";

/** How long a site may take to answer. Then it counts as out of reach. */
const ANSWER_TIMEOUT_MS = 5_000;
/** How long a download may go without another byte. Then it is ended. */
const STALL_TIMEOUT_MS = 30_000;

/**
 * Whether there is something at an address, as curl or wget see it. Not when neither is installed, or when there
 * is no answer within five seconds.
 */
export async function answers(places: Places, url: string): Promise<boolean> {
  const seconds = String(ANSWER_TIMEOUT_MS / 1000);
  const [curl] = onPath("curl", places.environment.PATH);
  const [wget] = onPath("wget", places.environment.PATH);
  const command = curl ?? wget;
  if (command === undefined) return false;
  const args = curl
    ? ["-fsSL", "--max-time", seconds, "--head", url]
    : ["-q", "--tries=1", `--timeout=${seconds}`, "--spider", url];
  const { ok } = await runTool(command, args, {
    environment: toolEnvironment(places),
    // wget's timeout is for each of its steps (name, connection, reading); this one is for all together.
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  });
  return ok;
}

/**
 * Downloads a file into `.engine/tmp` by curl or wget, which use the proxy that the environment names, and Node's
 * `fetch` does not. Ends them when nothing has arrived for half a minute.
 *
 * @param what the start of each progress report
 * @param report gets a line about every two seconds, with the megabytes so far
 */
export async function download(
  places: Places,
  what: string,
  report: (line: string) => void,
  url: string,
  file: string,
): Promise<ToolRun> {
  const [curl] = onPath("curl", places.environment.PATH);
  const command = curl ?? "wget";
  const args = curl ? ["-fsSL", "-o", file, url] : ["-q", "-O", file, url];
  await mkdir(dirname(file), { recursive: true });
  const stalled = new AbortController();
  let size = 0;
  let grewAt = Date.now();
  const watch = setInterval(() => {
    void sizeOf(made.unfinished(places)).then((now) => {
      if (now !== size) grewAt = Date.now();
      size = now;
      if (Date.now() - grewAt > STALL_TIMEOUT_MS) stalled.abort();
    });
  }, 1000);
  try {
    const run = await withProgress(
      report,
      () => `${what}, ${Math.round(size / 1e6)} MB`,
      () =>
        runTool(command, args, {
          environment: toolEnvironment(places),
          signal: stalled.signal,
        }),
    );
    return stalled.signal.aborted
      ? { ok: false, output: [`nothing arrived for ${STALL_TIMEOUT_MS / 1000} seconds`] }
      : run;
  } finally {
    clearInterval(watch);
  }
}

/** How many bytes the files below a directory have. Files that are removed meanwhile do not count. */
async function sizeOf(directory: string): Promise<number> {
  const files = await readdir(directory, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    files.map((file) =>
      stat(join(directory, file)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
