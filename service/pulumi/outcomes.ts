import type { OpMap, OpType } from "@pulumi/pulumi/automation";
import type { RunOutcome } from "./engine-runs";

/**
 * Finds what a run did that it was not asked to: it deleted a resource, or the engine saw fewer or more
 * resources than the program declared.
 *
 * @param changes How many resources there were of each operation; undefined where the engine did not report it.
 * @param declared How many resources the program declared.
 * @param mayBeDeleted How many of the deleted ones the run was asked to delete.
 * @returns faults for the operator; none where the run did as it was asked to.
 */
export function unasked(
  changes: OpMap | undefined,
  declared: number,
  mayBeDeleted: number,
): string[] {
  if (changes === undefined) return ["the engine did not report what the run did"];
  const count = (ops: readonly OpType[]) => ops.reduce((sum, op) => sum + (changes[op] ?? 0), 0);
  const seen = count(["same", "create", "update", "replace", "import", "read"]);
  const deleted = count(["delete", "replace", "discard"]) - mayBeDeleted;
  const faults: string[] = [];
  if (seen !== declared) {
    faults.push(`the program declared ${declared} resources, and the engine saw ${seen}`);
  }
  if (deleted > 0) {
    faults.push(`the run deleted ${deleted} resources, which nobody asked for`);
  }
  return faults;
}

/**
 * What depends on a tenant's tables from outside, so that they could not be dropped, in the words of
 * `SchemaInUseError` of provider/; undefined where that is not why the run failed.
 *
 * @returns such as `view public.report`.
 */
export function dependentsIn(faults: readonly string[]): string | undefined {
  const words = /schema \S+ is in use from outside by (.+?): drop that first/s;
  return faults.map((fault) => words.exec(fault)?.[1]).find((found) => found !== undefined);
}

/**
 * The outcome of a run whose host ended before it. Where the host was killed, another run may succeed; where
 * it ended by itself, another one would fail in the same way.
 *
 * @param error The error of the pool, which says how the host ended.
 * @param complaint The end of what the host wrote to standard error.
 */
export function outcomeOfEnd(error: unknown, complaint: string): RunOutcome {
  const end = endOf(error);
  // V8 aborts a process whose heap is full.
  if (end.includes("SIGABRT")) {
    return { result: "failed", faults: ["the run took more memory than SETUP_MEMORY lets"] };
  }
  const faults = [`the program host ended: ${end} ${complaint}`];
  // An exit code of its own means that the host ended over an error that nobody caught.
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
 * Whether the engine's messages show that a process or a connection died, or that the database or the disk
 * cannot work now, so that another run may succeed.
 */
export function wasCutOff(faults: readonly string[]): boolean {
  return faults.some((fault) => signs.some((sign) => sign.test(fault)));
}

const signs = [
  // The CLI was killed, in the words of execa; dbmate was, in the words of provider/database.
  /Command was killed with SIG/,
  /dbmate was ended by SIG/,
  // A plugin was killed while it started: Go reports exit status -1 for a process without one.
  /could not read plugin .*: exit status -1\b/,
  // A plugin was cut off, in the words of gRPC for Go and for Node.
  /code = (Unavailable|Canceled)\b/,
  /\b(14 UNAVAILABLE|1 CANCELLED)\b|cut off from the engine: the SDK does not say how/,
  /error reading from server: (EOF|read)|transport is closing/,
  /plugin .*(exited|crashed|has shut down|did not begin responding)/i,
  // The database cannot be used, in the words of PostgreSQL, pg, lib/pq and the operating system.
  /terminating connection|the database system is (starting up|shutting down|in recovery mode)/,
  /is not (currently |yet )?accepting connections/,
  // After a failover, on the server that was the primary.
  /cannot execute .* in a read-only transaction/,
  /Connection terminated|Client has encountered a connection error|server closed the connection/,
  /\b(57P0[1-5]|53[0-9A-Z]{3}|08[0-9A-Z]{3})\b/,
  /too many (clients|connections)|remaining connection slots/,
  /\b(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)\b/,
  /connection (refused|reset by peer)|broken pipe|unexpected EOF|driver: bad connection/,
  /timeout expired|i\/o timeout/,
  // The disk that holds the state is full, in the words of the operating system.
  /no space left on device|disk quota exceeded|file too large/i,
];
