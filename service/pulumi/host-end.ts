import type { RunOutcome } from "./engine-runs";

/**
 * What the end of a host makes of its run. One that was killed may have been so by chance; one that
 * ended over its own doing will do so again.
 *
 * @param error What the pool tells of it.
 * @param complaint The last that it wrote to standard error.
 */
export function outcomeOfEnd(error: unknown, complaint: string): RunOutcome {
  const end = endOf(error);
  // V8 aborts a process whose heap is full.
  if (end.includes("SIGABRT")) {
    return { result: "failed", faults: ["the run took more memory than SETUP_MEMORY lets"] };
  }
  const faults = [`the program host ended: ${end} ${complaint}`];
  // It ended itself, over an error that nobody caught.
  return { result: /exitCode: `[1-9]/.test(end) ? "failed" : "interrupted", faults };
}

/** How a host ended, without the paths and the object dumps that workerpool adds. */
function endOf(error: unknown): string {
  const lines = (error instanceof Error ? error.message : String(error)).split("\n");
  return lines
    .slice(0, 3)
    .map((line) => line.trim())
    .join(" ");
}
