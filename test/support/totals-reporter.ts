import { writeSync } from "node:fs";

/** The part of Jest's aggregated result that counts. */
interface Results {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  /** Files that could not even be loaded: they have no failed test of their own to count. */
  readonly numRuntimeErrorTestSuites: number;
}

/** Prints the totals alone on the last line, for tools that read nothing else. */
export default class TotalsReporter {
  onRunComplete(_contexts: unknown, results: Results): void {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const totals = [`${results.numPassedTests} passed`, `${failed} failed`];
    if (skipped > 0) totals.push(`${skipped} skipped`);
    // Jest's own summary still follows, so this waits for the very end.
    process.once("exit", () => writeSync(process.stdout.fd, `${totals.join(", ")}\n`));
  }
}
