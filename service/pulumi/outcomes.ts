import type { OpMap, OpType } from "@pulumi/pulumi/automation";
import type { RunOutcome, RunRequest } from "./engine-runs";

/**
 * What a run did beside what it was asked to: something was deleted that nobody asked to have deleted, or
 * the engine did not look at all that the program declared, or at more.
 *
 * @param changes How many resources there were of each operation; undefined where the engine did not tell.
 * @param declared How many resources the program declared.
 * @returns faults for the operator; none where the run did as it was asked to.
 */
export function unasked(
  changes: OpMap | undefined,
  declared: number,
  mayDelete: RunRequest["mayDelete"],
): string[] {
  if (changes === undefined) return ["the engine did not tell what the run did"];
  const count = (ops: readonly OpType[]) => ops.reduce((sum, op) => sum + (changes[op] ?? 0), 0);
  const seen = count(["same", "create", "update", "replace", "import", "read"]);
  const deleted = count(["delete", "replace", "discard"]);
  const faults: string[] = [];
  if (seen !== declared) {
    faults.push(`the program declared ${declared} resources, and the engine saw ${seen}`);
  }
  if (deleted > 0 && mayDelete === "nothing") {
    faults.push(`the run deleted ${deleted} resources, which nobody asked for`);
  }
  return faults;
}

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

/**
 * Whether what the engine said tells of a process or a connection that died, or of a database or a
 * disk that cannot work just now: another run may go through. All else will fail again.
 */
export function wasCutOff(faults: readonly string[]): boolean {
  return faults.some((fault) => signs.some((sign) => sign.test(fault)));
}

const signs = [
  // The CLI, as execa tells it; dbmate, as the library does.
  /Command was killed with SIG/,
  /dbmate was ended by SIG/,
  // A plugin that a signal ended while it started: Go gives -1 for the code that it has not.
  /could not read plugin .*: exit status -1\b/,
  // A plugin, as gRPC tells it: in Go, and in Node.
  /code = (Unavailable|Canceled)\b/,
  /\b(14 UNAVAILABLE|1 CANCELLED)\b|cut off from the engine: the SDK does not say how/,
  /error reading from server: (EOF|read)|transport is closing/,
  /plugin .*(exited|crashed|has shut down|did not begin responding)/i,
  // The database, as PostgreSQL, pg, lib/pq and the system tell it.
  /terminating connection|the database system is (starting up|shutting down|in recovery mode)/,
  /is not currently accepting connections/,
  /Connection terminated|Client has encountered a connection error|server closed the connection/,
  /\b(57P0[1-5]|53[0-9A-Z]{3}|08[0-9A-Z]{3})\b/,
  /too many (clients|connections)|remaining connection slots/,
  /\b(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)\b/,
  /connection (refused|reset by peer)|broken pipe|unexpected EOF|driver: bad connection/,
  /timeout expired|i\/o timeout/,
  // The disk that the state is on, as the system tells it.
  /no space left on device|disk quota exceeded|file too large/i,
];
