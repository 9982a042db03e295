import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** The reporter speaks when its process ends, so each example has a process of its own. */
function totals(results: object): string {
  const reporter = join(__dirname, "..", "..", "support", "totals-reporter.js");
  const program = `
    new (require(${JSON.stringify(reporter)}).default)().onRunComplete({}, ${JSON.stringify(results)});
    console.log("what Jest prints after its reporters");`;
  return spawnSync(process.execPath, ["-e", program], { encoding: "utf8" }).stdout;
}

const none = {
  numPassedTests: 0,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  numRuntimeErrorTestSuites: 0,
};

describe("the totals", () => {
  it("are the very last line", () => {
    expect(totals({ ...none, numPassedTests: 7, numFailedTests: 2 })).toBe(
      "what Jest prints after its reporters\n7 passed, 2 failed\n",
    );
  });

  it("count a file that could not be loaded as a failure", () => {
    expect(totals({ ...none, numPassedTests: 7, numRuntimeErrorTestSuites: 1 })).toMatch(
      /\n7 passed, 1 failed\n$/,
    );
  });

  it("name skipped tests only when there are some", () => {
    expect(totals({ ...none, numPassedTests: 1, numPendingTests: 2, numTodoTests: 1 })).toMatch(
      /\n1 passed, 0 failed, 3 skipped\n$/,
    );
  });
});
