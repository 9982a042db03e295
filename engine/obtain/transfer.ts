import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { made, onPath, type Places } from "./places";
import { runTool, type ToolRun, withProgress } from "../../scripts/tool.cjs";

/** How long a site may take to answer. Then it counts as out of reach. */
const ANSWER_TIMEOUT_MS = 5_000;
/** How long a download may go without another byte. Then it is ended. */
const STALL_TIMEOUT_MS = 30_000;

/**
 * Gets a page, or only its head, by curl or wget. It is not `ok` when neither is installed, or when there
 * is no answer within five seconds.
 */
export async function getPage(
  { environment }: Places,
  url: string,
  headOnly: boolean,
): Promise<{ ok: boolean; text: string }> {
  const seconds = String(ANSWER_TIMEOUT_MS / 1000);
  const [curl] = onPath("curl", environment.PATH);
  const [wget] = onPath("wget", environment.PATH);
  const command = curl ?? wget;
  if (command === undefined) return { ok: false, text: "" };
  const args = curl
    ? ["-fsSL", "--max-time", seconds, ...(headOnly ? ["--head"] : []), url]
    : ["-q", "--tries=1", `--timeout=${seconds}`, headOnly ? "--spider" : "-O-", url];
  const lines: string[] = [];
  const { ok } = await runTool(command, args, {
    environment,
    onLine: (line) => lines.push(line),
    // wget's timeout is for each of its steps (name, connection, reading); this one is for all together.
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  });
  return { ok, text: lines.join("\n") };
}

/**
 * Runs a tool that downloads something into `.engine/tmp`, and ends it when nothing has arrived for half a
 * minute.
 *
 * @param what the start of each progress report
 * @param report gets a line about every two seconds, with the megabytes so far
 * @param variables of the tool, on top of the user's environment
 */
export async function runDownload(
  places: Places,
  what: string,
  report: (line: string) => void,
  command: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<ToolRun> {
  const temporary = join(made.unfinished(places), "temporary");
  await mkdir(temporary, { recursive: true });
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
          environment: { ...places.environment, ...variables, TMPDIR: temporary },
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
